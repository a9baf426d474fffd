#!/usr/bin/env python3
"""Runs the test scripts under a stress build of Scrip, in a seeded order, until the time is up.

stress.py PROGRAM [--seconds N] [--seed N]

PROGRAM is built with `--features stress`: it asks for a collection at every chance. A script fails here only when the program dies by a
signal or panics, since a collection at every chance may well change what a script prints about memory. Ends with `N passed, N failed`.
"""
import argparse
import os
import pathlib
import random
import subprocess
import sys
import time

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent / "scripts"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    program = options.program.resolve()
    scripts = sorted(SCRIPTS.glob("*/*.scr"))
    random.Random(options.seed).shuffle(scripts)
    end = time.monotonic() + options.seconds
    passed = failed = slow = 0
    for script in scripts:
        if time.monotonic() > end:
            break
        try:
            run = subprocess.run([program, script.name], cwd=script.parent, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
        except subprocess.TimeoutExpired:
            slow += 1
            continue
        died = run.returncode < 0 and run.returncode != -2
        if died or b"panicked at" in run.stderr:
            failed += 1
            print(f"{script.relative_to(SCRIPTS)}: exit code {run.returncode}")
            print(run.stderr.decode(errors="replace")[-2000:])
        else:
            passed += 1
    print(f"{slow} were too slow to finish in 30 s")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    os.environ["SCRIPHASHSEED"] = "1"
    sys.exit(main())
