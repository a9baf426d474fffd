"""Compares the trees of CPython's standard library with those that CPython 3.13 makes itself.

    python3.13 tests/tools/ast_lib.py target/release/examples/dump [FOLDER]

The trees of the reference are kept in a cache beside the system's temporary files, so that the second
run is fast. Prints the files that differ, with the first difference, and the numbers of both kinds.
"""

import ast
import hashlib
import multiprocessing
import os
import pickle
import subprocess
import sys
import tempfile
import warnings


KNOWN = {
    "site-packages/pip/_vendor/pygments/unistring.py": "characters newer than CPython's Unicode tables",
    "test/test_str.py": "characters newer than CPython's Unicode tables",
    "test/encoded_modules/module_koi8_r.py": "an encoding that is not supported",
    "turtledemo/clock.py": "an encoding that is not supported",
}


def reference(path):
    """The file's tree as text, or None where CPython refuses it."""
    warnings.simplefilter("ignore")
    with open(path, "rb") as file:
        source = file.read()
    try:
        compile(source, path, "exec", dont_inherit=True)
        tree = ast.parse(source, path)
        return path, ast.dump(tree, include_attributes=True)
    except Exception:
        return path, None


def references(folder):
    key = hashlib.sha1((sys.version + folder).encode()).hexdigest()[:12]
    cache = os.path.join(tempfile.gettempdir(), f"ast_lib-{key}.pickle")
    if os.path.exists(cache):
        with open(cache, "rb") as file:
            return pickle.load(file)
    paths = []
    for root, folders, files in os.walk(folder):
        folders.sort()
        paths += [os.path.join(root, name) for name in sorted(files) if name.endswith(".py")]
    with multiprocessing.Pool(2) as pool:
        trees = pool.map(reference, paths, chunksize=20)
    with open(cache, "wb") as file:
        pickle.dump(trees, file)
    return trees


def main():
    program = sys.argv[1]
    folder = sys.argv[2] if len(sys.argv) > 2 else os.path.dirname(os.__file__)
    trees = references(folder)
    paths = "\n".join(path for path, _ in trees)
    result = subprocess.run([program, "-"], input=paths, capture_output=True, text=True,
                            errors="surrogatepass")
    if result.returncode != 0:
        print(result.stderr)
    equal = different = excused = refused = wrongly_accepted = 0
    for (path, tree), line in zip(trees, result.stdout.split("\n"), strict=False):
        accepted = line.startswith("Module(")
        if tree is None:
            if accepted:
                wrongly_accepted += 1
                print(f"{path}: accepted, but CPython refuses it")
            else:
                refused += 1
        elif line == tree:
            equal += 1
        elif any(path.endswith(known) for known in KNOWN):
            excused += 1
        else:
            different += 1
            if accepted:
                pairs = enumerate(zip(tree, line, strict=False))
                at = next((i for i, (a, b) in pairs if a != b), min(len(tree), len(line)))
                at = max(0, at - 60)
                print(f"{path}:\n  wants {tree[at:at + 160]}\n  got   {line[at:at + 160]}")
            else:
                print(f"{path}: {line}")
    print(f"{equal} equal, {different} different, {excused} excused, {refused} refused by both, "
          f"{wrongly_accepted} wrongly accepted")
    sys.exit(different + wrongly_accepted > 0)


if __name__ == "__main__":
    main()
