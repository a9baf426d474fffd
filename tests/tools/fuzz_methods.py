"""Calls the methods of built-in types and the built-in functions with random arguments, here and under CPython 3.13.

    SCRIP_REFERENCE=python3.13 python3 tests/tools/fuzz_methods.py PROGRAM [--seed N] [--calls N] [--only PART] [--keep]

Writes a script of calls, each of which prints its result or its exception, runs it under both and shows where the
lines differ, grouped by method. With --keep the script stays in the current folder as fuzz.scr.
"""

import argparse
import collections
import os
import random
import re
import subprocess
import sys
import tempfile

SMALL = ["-3", "-1", "0", "1", "2", "3", "7", "10", "255", "True"]
HUGE = ["2 ** 63", "-2 ** 63", "10 ** 20", "-10 ** 30"]
LARGE = ["256", "1000", "2 ** 31", "2 ** 62", "123456789012345678901234567890", *HUGE]
FLOATS = ["0.0", "-0.0", "1.5", "-2.5", "1e16", "1e-7", "float('inf')", "float('nan')", "0.1"]
TEXTS = ["''", "'a'", "'abc'", "'Hello World'", "'é😀'", "' x '", "'1,2,,3'", "'{:>5}'", "'%s'", "'a\\nb\\r\\n'", "'ß'", "'12'", "'aXbXc'", "'utf-8'"]
BYTES = ["b''", "b'a'", "b'abc'", "b'\\xff\\x00'", "b'1,2'", "bytearray(b'xyz')", "memoryview(b'mv')"]
LISTS = ["[]", "[1]", "[1, 2, 3]", "[3, 1, 2]", "['b', 'a']", "[[1], [2]]", "[None]", "[(1, 2), (3, 4)]"]
TUPLES = ["()", "(1,)", "(1, 2, 3)", "('a', 'b')", "((1, 2),)"]
DICTS = ["{}", "{1: 2}", "{'a': 1, 'b': 2}", "{1: {2: 3}}"]
SETS = ["set()", "{1}", "{1, 2, 3}", "frozenset()", "frozenset({2, 3})", "{(1, 2)}"]
OTHERS = ["None", "...", "range(3)", "range(5, 0, -2)", "slice(1, 2)", "len", "int", "str", "lambda x: x", "lambda x, y: x", "1j", "2.5 + 3j", "object", "NotImplemented", "iter([1, 2])", "(n for n in range(2))", "{}.keys()", "{1: 2}.items()"]
ANY = SMALL + FLOATS + TEXTS + BYTES + LISTS + TUPLES + DICTS + SETS + OTHERS + HUGE
RECEIVERS = {
    "int": SMALL + LARGE, "float": FLOATS, "complex": ["1j", "0j", "2.5 + 3j", "-1 - 0j"], "str": TEXTS, "bytes": BYTES[:5],
    "bytearray": ["bytearray()", "bytearray(b'abc')", "bytearray(b'a,b,c')"], "memoryview": ["memoryview(b'abc')", "memoryview(bytearray(b'xyz'))"],
    "list": LISTS, "tuple": TUPLES, "dict": DICTS, "set": SETS[:3] + ["{(1, 2)}"], "frozenset": SETS[3:5], "range": ["range(0)", "range(3)", "range(10, 0, -3)"],
    "slice": ["slice(None)", "slice(1, 5, 2)", "slice(-1, None, -1)"], "bool": ["True", "False"], "NoneType": ["None"], "type": ["int", "str", "type"],
}
FUNCTIONS = [
    "abs", "all", "any", "ascii", "bin", "bool", "bytes", "bytearray", "callable", "chr", "complex", "dict", "divmod", "enumerate", "filter",
    "float", "format", "frozenset", "getattr", "hasattr", "hex", "int", "isinstance", "issubclass", "iter", "len", "list", "map", "max",
    "memoryview", "min", "next", "oct", "ord", "pow", "range", "repr", "reversed", "round", "set", "slice", "sorted", "str", "sum", "tuple", "type", "zip",
]
# What shows addresses or sizes, changes the interpreter, or has an answer of each implementation's own.
SKIPPED = {
    "__class__", "__dir__", "__doc__", "__getattribute__", "__init__", "__init_subclass__", "__new__", "__reduce__", "__reduce_ex__", "__setattr__",
    "__delattr__", "__sizeof__", "__subclasshook__", "__class_getitem__", "__getstate__", "__subclasses__", "__buffer__", "__release_buffer__",
    "__getformat__", "__hash__", "hash", "__dict__", "__prepare__", "__call__", "__alloc__", "__mro__", "mro",
}
# With large arguments these would build numbers or texts of many gigabytes.
EXPLOSIVE = {"__pow__", "__rpow__", "__lshift__", "__rlshift__", "pow", "__mul__", "__rmul__", "__imul__", "ljust", "rjust", "center", "zfill", "expandtabs", "to_bytes", "__round__", "round", "bytes", "bytearray", "__rmod__"}
HEAD = """
import re
import warnings
warnings.simplefilter("ignore")


def show(n, call):
    try:
        result = call()
        if hasattr(result, "__next__"):
            result = ["iterator", type(result).__name__, [x for x, _ in zip(result, range(20))]]
        text = repr(result)
    except BaseException as error:
        text = f"{type(error).__name__}: {error}"
    print(n, re.sub("0x[0-9a-f]{6,}", "0x...", text)[:300])


"""


def arguments(rng, name, sort):
    n = rng.choice((0, 1, 1, 1, 2, 2, 3))
    pool = [text for text in ANY if text not in HUGE] if name in EXPLOSIVE else ANY
    kin = RECEIVERS.get(sort, ANY)
    if name in EXPLOSIVE:
        kin = [text for text in kin if text not in LARGE]
    return [rng.choice(kin if rng.random() < 0.4 and kin else SMALL if rng.random() < 0.3 else pool) for _ in range(n)]


def calls(rng, n_calls, only):
    methods = [(sort, name) for sort, receivers in RECEIVERS.items() for name in dir(eval(receivers[0])) if name not in SKIPPED]
    choices = [f"{sort}.{name}" for sort, name in methods] + FUNCTIONS * 4
    choices = [choice for choice in choices if only in choice]
    for _ in range(n_calls):
        choice = rng.choice(choices)
        if "." in choice:
            sort, name = choice.split(".", 1)
            receiver = rng.choice(RECEIVERS[sort] if name not in EXPLOSIVE else [text for text in RECEIVERS[sort] if text not in LARGE])
            reached = f"({receiver}).{name}"
        else:
            sort, name, reached = "", choice, choice
        if not callable(getattr(eval(receiver), name, None) if sort else eval(name)):
            yield choice, reached
        else:
            yield choice, f"{reached}({', '.join(arguments(rng, name, sort))})"


def run(program, path):
    environment = dict(os.environ, PYTHONHASHSEED="0", LC_ALL="C.UTF-8")
    done = subprocess.run([program, path], capture_output=True, env=environment, timeout=120)
    return done.stdout.decode("utf-8", "replace").split("\n"), done.stderr.decode("utf-8", "replace"), done.returncode


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--only", default="")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    made = list(calls(rng, options.calls, options.only))
    text = HEAD + "".join(f"show({n}, lambda: {call})\n" for n, (_, call) in enumerate(made))
    folder = "." if options.keep else tempfile.mkdtemp()
    path = os.path.join(folder, "fuzz.scr")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    expected, _, _ = run(os.environ.get("SCRIP_REFERENCE", "python3.13"), path)
    found, err, code = run(options.program, path)
    if code:
        print(f"exit code {code} after {len(found)} lines\n{err[-2000:]}")
    by_call = collections.defaultdict(list)
    for n, (choice, call) in enumerate(made):
        left = expected[n] if n < len(expected) else "(nothing)"
        right = found[n] if n < len(found) else "(nothing)"
        if left != right:
            by_call[choice].append((call, left, right))
    for choice, differences in sorted(by_call.items(), key=lambda pair: -len(pair[1])):
        print(f"{choice}: {len(differences)}")
        for call, left, right in differences[:2]:
            print(f"    {call}\n      expected {left.partition(' ')[2]}\n      printed  {right.partition(' ')[2]}")
    print(f"{len(made)} calls, {sum(map(len, by_call.values()))} differ")
    return 1 if by_call else 0


if __name__ == "__main__":
    sys.exit(main())
