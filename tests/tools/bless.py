"""Writes what CPython 3.13 prints beside every script: NAME.out, NAME.err and NAME.code.

    SCRIP_REFERENCE=/path/to/python3.13 python3 tests/tools/bless.py [FILTER ...]

Without a filter every script under tests/scripts and examples is run. Each runs twice, with two hash seeds: one whose
output differs between the two says nothing about the language and is reported instead of kept. A script whose first
line is `# differs: REASON` is left alone, since what it prints is Scrip's own.

`.err` is kept when the exit code is not 0 or something was written to stderr; `.code` only when the code is not 0.
Paths are shortened as tests/scripts.rs shortens them: the script's folder is left out, and so are frames of the library.
"""

import concurrent.futures
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
REFERENCE = os.environ.get("SCRIP_REFERENCE", "python3.13")
TIME_CAP = 60
FRAME = re.compile(r'^((?:\s|\|)*)File "([^"]*)", line ')


def without_library_frames(text, library):
    """Drops the traceback entries whose file stands in the folder `library`, with their source lines."""
    kept = []
    dropping = None
    for line in text.split("\n"):
        frame = FRAME.match(line)
        if frame:
            dropping = len(frame[1]) if frame[2].startswith((library, "<frozen ", "<stdlib>")) else None
        elif dropping is not None and not line.startswith(" " * 4, dropping - 2):
            dropping = None
        if dropping is None:
            kept.append(line)
    return "\n".join(kept)


def shortened(text, folder, library):
    """`text` without what differs between two installations: paths, frames of the library, addresses."""
    text = without_library_frames(text, library).replace(f"{folder}/", "")
    text = re.sub(rf"\((?:{re.escape(library)}|<stdlib>)[^)]*\)|\(unknown location\)", "(library)", text)
    return re.sub("0x[0-9a-f]{6,}", "0x...", text)


def directives(script):
    found = {}
    for line in script.read_text("utf-8", "replace").split("\n")[:4]:
        match = re.match(r"# (args|stdin|differs): (.*)", line)
        if match:
            found[match[1]] = match[2]
    return found


def run(script, found, seed):
    environment = dict(os.environ, PYTHONHASHSEED=seed, PYTHONIOENCODING="utf-8", PYTHONDONTWRITEBYTECODE="1", LC_ALL="C.UTF-8")
    stdin = found.get("stdin", "").replace("\\n", "\n")
    done = subprocess.run(
        [REFERENCE, "-B", script.name, *found.get("args", "").split()],
        input=stdin.encode(),
        capture_output=True,
        cwd=script.parent,
        env=environment,
        timeout=TIME_CAP,
    )
    folder = str(script.parent)
    out = done.stdout.decode("utf-8", "replace").replace(f"{folder}/", "")
    return out, shortened(done.stderr.decode("utf-8", "replace"), folder, LIBRARY), done.returncode


def write(path, text, wanted):
    if wanted:
        if not path.exists() or path.read_bytes() != text.encode():
            path.write_bytes(text.encode())
    else:
        path.unlink(missing_ok=True)


def bless(script):
    """Runs one script and keeps what it printed; returns a complaint or None."""
    found = directives(script)
    if "differs" in found:
        return None
    try:
        first, second = run(script, found, "1"), run(script, found, "2")
    except subprocess.TimeoutExpired:
        return f"{script}: took longer than {TIME_CAP} s"
    if first != second:
        return f"{script}: prints different things with different hash seeds"
    out, err, code = first
    write(script.with_suffix(".out"), out, True)
    write(script.with_suffix(".err"), err, code != 0 or err != "")
    write(script.with_suffix(".code"), f"{code}\n", code != 0)
    return None


def main():
    filters = sys.argv[1:]
    scripts = sorted([*(ROOT / "tests/scripts").rglob("*.scr"), *(ROOT / "examples").glob("*.scr")])
    scripts = [script for script in scripts if not filters or any(part in str(script) for part in filters)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = [complaint for complaint in pool.map(bless, scripts) if complaint]
    for complaint in complaints:
        print(complaint)
    print(f"{len(scripts) - len(complaints)} blessed, {len(complaints)} refused")
    return 1 if complaints else 0


LIBRARY = subprocess.run(
    [REFERENCE, "-c", "import os; print(os.path.dirname(os.__file__))"], capture_output=True, text=True, check=True
).stdout.strip()

if __name__ == "__main__":
    sys.exit(main())
