"""Writes src/cli/start.ld: the functions that run whenever the program starts, to be linked side by side.

    python3 tests/tools/start_order.py PROGRAM ...

The programs are builds by the profiles `release` and `quick`, which differ in what is inlined; valgrind's callgrind says
which functions an empty script and one that prints run. The system
brings a program's code into memory by blocks of 64 KB, so functions that lie apart cost sixteen pages each. A list that
is out of date does no harm but to that: names that do not exist are passed over.
"""

import bisect
import collections
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPTS = ["", "print('hello')\n"]
HEAD = """/* The functions that run whenever the program starts, side by side: tests/tools/start_order.py writes this file. */
SECTIONS
{
  .text.start :
  {
"""
TAIL = """  }
}
INSERT BEFORE .text;
"""


def addresses(program, folder, text):
    """Where the instructions of the program lie that a script runs."""
    script, profile = folder / "script.scr", folder / "profile"
    script.write_text(text)
    command = ["valgrind", "--tool=callgrind", "--dump-instr=yes", f"--callgrind-out-file={profile}", program, str(script)]
    subprocess.run(command, check=True, capture_output=True)
    objects, is_ours, address, found = {}, False, 0, set()
    for line in profile.read_text().splitlines():
        match = re.match(r"(c?ob)=\((\d+)\)(?: (.*))?", line)
        if match:
            kind, number, name = match.groups()
            if name is not None:
                objects[number] = name
            if kind == "ob":
                # Of the program's sections callgrind knows `.text` only.
                is_ours = objects[number].endswith("/" + Path(program).name) or objects[number] == "???"
        elif line[:1] in ("0", "+", "-", "*"):
            # An address, or its distance from the one before.
            first = line.split()[0]
            if first.startswith("0x"):
                address = int(first, 16)
            elif first != "*":
                address += int(first[0] + first[1:].removeprefix("0x"), 16 if "0x" in first else 10)
            if is_ours:
                found.add(address)
    return found


def functions(symbols, found):
    """The mangled names of the functions that the addresses lie in."""
    starts = [start for start, _, _ in symbols]
    names = set()
    for address in found:
        start, size, name = symbols[bisect.bisect_right(starts, address) - 1]
        if start <= address < start + size and name.startswith("_"):
            names.add(name)
    return names


def without_hashes(name):
    """The name without what a change elsewhere changes in it, as a pattern."""
    name = re.sub(r"17h[0-9a-f]{16}E", "17h*E", name)
    return re.sub(r"Cs[0-9A-Za-z]+_", "Cs*_", name)


def patterns_of(symbols, names):
    """Patterns for the names. A generic function has many forms that differ in the hash only: of these the very one."""
    forms = collections.Counter(without_hashes(name) for _, _, name in symbols)
    return {without_hashes(name) if forms[without_hashes(name)] <= 2 else name for name in names}


def start_of(program):
    """Patterns for the functions that the program runs at its start."""
    listing = subprocess.run(["nm", "--defined-only", "--print-size", program], check=True, capture_output=True, text=True).stdout
    rows = [line.split() for line in listing.splitlines() if len(line.split()) == 4]
    symbols = sorted((int(start, 16), int(size, 16), name) for start, size, kind, name in rows if kind in "tTwW")
    names = set()
    with tempfile.TemporaryDirectory() as folder:
        for text in SCRIPTS:
            names |= functions(symbols, addresses(program, Path(folder), text))
    return patterns_of(symbols, names)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    names = sorted(set().union(*(start_of(program) for program in sys.argv[1:])))
    rows = [f"    *(.text*.{name})\n" for name in names]
    (ROOT / "src/cli/start.ld").write_text(HEAD + "".join(rows) + TAIL)
    print(f"{len(rows)} functions")


if __name__ == "__main__":
    main()
