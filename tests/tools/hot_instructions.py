#!/usr/bin/env python3
"""Says where the time of a script goes: by function, and inside the dispatch loop by instruction.

hot_instructions.py PROGRAM SCRIPT [--rows N]

PROGRAM is a release build (it has line tables). `perf` takes samples of the running program; those inside the loop are counted for the arm of
`src/vm/dispatch.rs` they stand in, or for the macro there that several arms share. Percentages are of all samples.
"""
import argparse
import collections
import pathlib
import re
import subprocess
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "src" / "vm" / "dispatch.rs"
LOOP = "run_from"


def regions():
    """For each line of the loop's source, the arm or macro it belongs to."""
    names = ["elsewhere in the loop"] * 2
    current = "the dispatch itself"
    for line in SOURCE.read_text().split("\n"):
        if found := re.match(r" {16}macro_rules! (\w+)", line):
            current = f"{found[1]}!"
        elif found := re.match(r" {24}Opcode::(\w+)", line):
            current = found[1]
        elif re.match(r" {16}loop \{", line) or re.match(r" {0,12}\S", line):
            current = "the dispatch itself"
        names.append(current)
    return names[1:]


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("script")
    parser.add_argument("--rows", type=int, default=12)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/perf.data"
        run("perf", "record", "-q", "-F", "2000", "-o", data, options.program, options.script)
        samples = run("perf", "script", "-i", data, "-F", "ip,sym,symoff").split("\n")
    functions, offsets = collections.Counter(), collections.Counter()
    for sample in samples:
        found = re.match(r"\s*[0-9a-f]+ (.*)\+0x([0-9a-f]+)", sample)
        if not found:
            continue
        name = re.sub(r"<impl [^>]*>::", "", found[1])
        functions[name] += 1
        if name.endswith(LOOP):
            offsets[int(found[2], 16)] += 1
    total = sum(functions.values())
    symbols = [line.split() for line in run("nm", options.program).split("\n") if LOOP in line]
    start = int(symbols[0][0], 16)
    addresses = list(offsets)
    places = subprocess.run(
        ["addr2line", "-i", "-a", "-e", options.program], input="\n".join(hex(start + offset) for offset in addresses), capture_output=True, text=True, check=True
    ).stdout
    names, arms, index = regions(), collections.Counter(), -1
    last = None
    for line in [*places.split("\n"), "0x"]:
        if line.startswith("0x"):
            if index >= 0:
                arms[names[last] if last and last < len(names) else "elsewhere in the loop"] += offsets[addresses[index]]
            index, last = index + 1, None
            if index >= len(addresses):
                break
        elif found := re.search(r"vm/dispatch\.rs:(\d+)", line):
            last = int(found[1])
    print(f"{total} samples")
    for title, counts in (("function", functions), ("instruction or macro of the loop", arms)):
        print(f"-- {title}")
        for name, count in counts.most_common(options.rows):
            print(f"{count / total:6.1%}  {name}")


if __name__ == "__main__":
    main()
