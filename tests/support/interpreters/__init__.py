"""Interpreters in one process are not reached from scripts: a test that uses one is skipped."""

import unittest


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise unittest.SkipTest("needs interpreters in scripts")
