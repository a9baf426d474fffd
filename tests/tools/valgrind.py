"""Runs scripts under valgrind and lists those in which it finds an error or memory that nothing refers to any more.

    python3 tests/tools/valgrind.py PROGRAM [FILTER ...]

PROGRAM is a build of scrip with debug information; the scripts are those of tests/scripts/evil unless filters name others.
What a script prints is not compared here: tests/scripts.rs does that.
"""

import concurrent.futures
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# Two scripts build structures a million deep, which under valgrind takes minutes.
TIME_CAP = 1800
ERROR_CODE = 99


def check(program, script):
    command = ["valgrind", "--quiet", "--leak-check=full", "--errors-for-leak-kinds=definite", "--show-leak-kinds=definite", f"--error-exitcode={ERROR_CODE}", program, script.name]
    try:
        done = subprocess.run(command, cwd=script.parent, capture_output=True, text=True, errors="replace", timeout=TIME_CAP)
    except subprocess.TimeoutExpired:
        return f"{script.stem}: not finished after {TIME_CAP} s"
    complaints = [line for line in done.stderr.splitlines() if re.match(r"==\d+==", line)]
    if done.returncode == ERROR_CODE or complaints:
        return "\n    ".join([f"{script.stem}: exit code {done.returncode}", *complaints[:30]])
    return None


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    program, filters = os.path.abspath(sys.argv[1]), sys.argv[2:] or ["/evil/"]
    scripts = sorted(path for path in (ROOT / "tests/scripts").rglob("*.scr") if any(part in str(path) for part in filters))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = [complaint for complaint in pool.map(lambda script: check(program, script), scripts) if complaint]
    print("\n".join(complaints))
    print(f"{len(scripts) - len(complaints)} clean, {len(complaints)} not")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
