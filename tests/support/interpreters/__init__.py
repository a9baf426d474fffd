"""Interpreters in one process: not reached from scripts."""

import unittest

raise unittest.SkipTest("needs interpreters in scripts")
