#!/usr/bin/env python3
"""Measures how the ratio to a reference interpreter changes when a benchmark gets four times as much to do.

growth.py SUITE --reference COMMAND --program COMMAND [--only NAME,NAME] [--runs N] [--factor N] [--limit PERCENT]

SUITE is a folder of benchmark programs that have a line `N = number` near their top. Each program is copied to a temporary folder once as
it is and once with the number multiplied, both interpreters run both copies in turn, and the least CPU time (user and system) of the runs
counts. The last column says by how many percent the ratio program / reference is larger with more to do; above `--limit` it is marked, and
the exit code is 1. What the two interpreters print is compared as well.
"""
import argparse
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

DEFAULT = "sieve,sorting,wordcount,strbuild,json_tokens,life_sets,generators,exceptions,closures,kwargs,nbody,scheduler"
CONSTANT = re.compile(r"^N = ([0-9_]+)\b", re.MULTILINE)


def cpu_seconds(command, path):
    """The CPU time of one run, and what it printed."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen([*command, str(path)], stdin=subprocess.DEVNULL, stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} {path.name}: exit code {process.returncode}")
    return usage.ru_utime + usage.ru_stime, text


def enlarged(source, factor):
    """The program with its constant multiplied."""
    match = CONSTANT.search(source)
    if match is None:
        sys.exit("a program has no line N = number")
    number = int(match[1].replace("_", "")) * factor
    return source[: match.start()] + f"N = {number}" + source[match.end() :]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", type=pathlib.Path)
    parser.add_argument("--reference", required=True, type=shlex.split)
    parser.add_argument("--program", required=True, type=shlex.split)
    parser.add_argument("--only", default=DEFAULT)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--factor", type=int, default=4)
    parser.add_argument("--limit", type=float, default=25)
    options = parser.parse_args()
    failed = False
    print(f"{'program':14} {'reference s':>16} {'program s':>16} {'ratios':>14} {'growth':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only.split(","):
            source = (options.suite / f"{name}.scr").read_text()
            paths = []
            for label, text in (("one", source), ("more", enlarged(source, options.factor))):
                path = pathlib.Path(folder) / f"{name}_{label}.scr"
                path.write_text(text)
                paths.append(path)
            best = [[float("inf")] * 2, [float("inf")] * 2]
            for _ in range(options.runs):
                for size, path in enumerate(paths):
                    printed = set()
                    for which, command in enumerate((options.reference, options.program)):
                        seconds, text = cpu_seconds(command, path)
                        best[which][size] = min(best[which][size], seconds)
                        printed.add(text)
                    if len(printed) > 1:
                        failed = True
                        print(f"{name}: the two print different things")
            ratios = [best[1][size] / best[0][size] for size in range(2)]
            growth = (ratios[1] / ratios[0] - 1) * 100
            failed = failed or growth > options.limit
            times = [f"{times[0]:.2f} -> {times[1]:.2f}" for times in best]
            mark = "  too much" if growth > options.limit else ""
            print(f"{name:14} {times[0]:>16} {times[1]:>16} {ratios[0]:>5.2f} -> {ratios[1]:.2f} {growth:>+7.0f}%{mark}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
