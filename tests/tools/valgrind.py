"""Runs scripts under valgrind and lists those in which it finds an error.

    python3 tests/tools/valgrind.py [--leaks] PROGRAM [FILTER ...]

With --leaks memory that nothing refers to any more counts, too; what the interpreter itself holds when the program
ends is left to the system and shows up there.

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
LEAKS = "--leaks" in sys.argv


def check(program, script):
    leaks = ["--leak-check=full", "--errors-for-leak-kinds=definite", "--show-leak-kinds=definite"] if LEAKS else ["--leak-check=no"]
    command = ["valgrind", "--quiet", *leaks, f"--error-exitcode={ERROR_CODE}", program, script.name]
    try:
        done = subprocess.run(command, cwd=script.parent, capture_output=True, text=True, errors="replace", timeout=TIME_CAP)
    except subprocess.TimeoutExpired:
        return f"{script.stem}: not finished after {TIME_CAP} s"
    complaints = [line for line in done.stderr.splitlines() if re.match(r"==\d+==", line)]
    if done.returncode == ERROR_CODE or complaints:
        return "\n    ".join([f"{script.stem}: exit code {done.returncode}", *complaints[:30]])
    return None


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--leaks"]
    if not arguments:
        sys.exit(__doc__)
    program, filters = os.path.abspath(arguments[0]), arguments[1:] or ["/evil/"]
    scripts = sorted(path for path in (ROOT / "tests/scripts").rglob("*.scr") if any(part in str(path) for part in filters))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = [complaint for complaint in pool.map(lambda script: check(program, script), scripts) if complaint]
    print("\n".join(complaints))
    print(f"{len(scripts) - len(complaints)} clean, {len(complaints)} not")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
