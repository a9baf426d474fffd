"""Compares what is accepted, and how errors are worded, with CPython 3.13 on mutated programs.

    python3.13 tests/tools/mutate.py target/release/examples/check [NUMBER] [SEED]

One token of a file of the standard library is dropped, doubled, swapped with the next or replaced.
The reference's verdicts are kept in a cache beside the system's temporary files. Fails where fewer
than 99 % of what CPython accepts, or of what it refuses, are treated as there.
"""

import collections
import io
import multiprocessing
import os
import pickle
import random
import subprocess
import sys
import tempfile
import tokenize
import warnings

LIMIT = 16_000
WORDS = ("if else for in while def class return yield await async with as try except finally import "
         "from global nonlocal lambda not and or is None True pass break continue del raise assert "
         "match case type x print _ ( ) [ ] { } : , ; . = == := -> + - * ** / @ ! ... 1 0x 1.5 'a' "
         "f'{x}' b'b' \\ $ ? < >= += != ~").split()


def tokens(source):
    """Start and end offsets of the tokens that have text."""
    lines = [0]
    for line in source.splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    found = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        start = lines[token.start[0] - 1] + token.start[1]
        end = lines[token.end[0] - 1] + token.end[1]
        if end > start and token.type not in (tokenize.COMMENT, tokenize.NL):
            found.append((start, end))
    return found


def mutant(source, places, rng):
    index = rng.randrange(len(places) - 1)
    start, end = places[index]
    text = source[start:end]
    kind = rng.choice(["drop", "double", "swap", "replace", "replace"])
    if kind == "drop":
        return source[:start] + source[end:]
    if kind == "double":
        return source[:end] + " " + text + source[end:]
    if kind == "swap":
        after, stop = places[index + 1]
        if after < end:
            return None
        return source[:start] + source[after:stop] + source[end:after] + text + source[stop:]
    other = rng.choice(WORDS) if rng.random() < 0.6 else source[slice(*rng.choice(places))]
    return source[:start] + other + source[end:]


def verdict(source):
    warnings.simplefilter("ignore")
    try:
        compile(source, "mutant.py", "exec", dont_inherit=True)
    except SyntaxError as error:
        place = (error.lineno, error.offset, error.end_lineno, error.end_offset)
        return type(error).__name__, error.msg, place
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return type(error).__name__, str(error), None
    return None


def mutants(number, seed):
    cache = os.path.join(tempfile.gettempdir(), f"mutants-{number}-{seed}.pickle")
    if os.path.exists(cache):
        with open(cache, "rb") as file:
            return pickle.load(file)
    library = os.path.dirname(os.__file__)
    files = []
    for root, folders, names in os.walk(library):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(root, name)
            if name.endswith(".py") and os.path.getsize(path) < LIMIT:
                try:
                    with open(path, encoding="utf-8") as file:
                        source = file.read()
                    if verdict(source) is None:
                        files.append((source, tokens(source)))
                except (UnicodeDecodeError, SyntaxError, tokenize.TokenError):
                    pass
    files = [(source, places) for source, places in files if len(places) > 10]
    rng = random.Random(seed)
    sources = []
    while len(sources) < number:
        source = mutant(*rng.choice(files), rng)
        if source is not None:
            sources.append(source)
    with multiprocessing.Pool(2) as pool:
        verdicts = pool.map(verdict, sources, chunksize=100)
    result = list(zip(sources, verdicts, strict=True))
    with open(cache, "wb") as file:
        pickle.dump(result, file)
    return result


def ours(program, sources):
    data = b"".join(b"%d\n%s" % (len(source), source) for source in (s.encode() for s in sources))
    result = subprocess.run([program, "-"], input=data, capture_output=True, check=True)
    found = []
    for line in result.stdout.decode().split("\n")[:-1]:
        kind, line, offset, end_line, end_offset, message = line.split("\t")[:6]
        place = (int(line), int(offset), int(end_line), int(end_offset))
        found.append(None if kind == "ok" else (kind, message, place))
    return found


def main():
    program = sys.argv[1]
    number = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    cases = mutants(number, seed)
    found = ours(program, [source for source, _ in cases])
    accepted = refused = both_accept = both_refuse = same_text = same_place = 0
    pairs = collections.Counter()
    examples = {}
    for index, ((source, theirs), mine) in enumerate(zip(cases, found, strict=True)):
        if theirs is None:
            accepted += 1
            both_accept += mine is None
        else:
            refused += 1
            both_refuse += mine is not None
        if theirs is not None and mine is not None:
            if theirs[:2] == mine[:2]:
                same_text += 1
                same_place += theirs[2] == mine[2]
                if theirs[2] != mine[2]:
                    pair = "PLACE", theirs[1], f"{theirs[2]} {mine[2]}"
                    pairs[pair[:2]] += 1
                    examples.setdefault(pair[:2], []).append((index, pair[2]))
                continue
        if theirs is not mine:
            pair = theirs and theirs[1], mine and mine[1]
            pairs[pair] += 1
            examples.setdefault(pair, []).append((index, f"{theirs and theirs[2]} {mine and mine[2]}"))
    for pair, count in pairs.most_common(int(os.environ.get("TOP", "15"))):
        print(count, *map(repr, pair))
        for index, places in examples[pair][:2]:
            source, theirs = cases[index]
            line = ((theirs and theirs[2] and theirs[2][0]) or (found[index] and found[index][2][0])) or 1
            text = source.splitlines()[max(0, line - 2):line]
            print("    ", index, places, text)
    print(f"accepted by both {both_accept}/{accepted}, refused by both {both_refuse}/{refused}, "
          f"same text {same_text}, same text and place {same_place}")
    sys.exit(both_accept < 0.99 * accepted or both_refuse < 0.99 * refused)


if __name__ == "__main__":
    main()
