"""Builds and runs the fuzzers of tests/fuzz with a nightly toolchain, and keeps what they find.

    python3 tests/tools/fuzz.py build
    python3 tests/tools/fuzz.py run SUBJECT [--seconds 600]     from the kept inputs, the seeds and what the last run found
    python3 tests/tools/fuzz.py keep SUBJECT [--files 300] [--bytes 300000]    the least inputs that reach as much become tests/fuzz/corpus/SUBJECT

Subjects: cache, format, json, pickle, re, script, struct, syntax. All is built with AddressSanitizer, debug assertions and overflow checks. Inputs that break something are left in
tests/fuzz/artifacts/SUBJECT: run them as `fuzz.py one SUBJECT FILE` (which shows the program that an input of `script` stands for), and make them smaller with `fuzz.py smaller SUBJECT FILE`. (`cargo fuzz run --fuzz-dir tests/fuzz SUBJECT` does as well.)
"""

import argparse
import hashlib
import os
import pathlib
import random
import re
import resource
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FUZZ = ROOT / "tests/fuzz"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", FUZZ / "target"))
TRIPLE = "x86_64-unknown-linux-gnu"
FLAGS = [
    "-Zsanitizer=address", "-Cpasses=sancov-module", "-Cllvm-args=-sanitizer-coverage-level=4", "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table", "-Cllvm-args=-sanitizer-coverage-trace-compares", "--cfg fuzzing", "-Cdebug-assertions", "-Coverflow-checks",
]
# The longest input of a subject, in bytes.
LONGEST = {"cache": 3000, "format": 200, "json": 2000, "pickle": 1500, "re": 300, "script": 1200, "struct": 300, "syntax": 3000}


def environment():
    return {**os.environ, "RUSTFLAGS": " ".join(FLAGS), "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1"}


def build():
    subprocess.run(["cargo", "+nightly", "build", "--release", "--target", TRIPLE], cwd=FUZZ, env=environment(), check=True)


def program(subject):
    return TARGET / TRIPLE / "release" / subject


def work(subject):
    """The folder of inputs that grows while fuzzing."""
    folder = TARGET / "corpus" / subject
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def seeds(subject):
    """Inputs to begin with, from the project's own scripts."""
    scripts = sorted((ROOT / "tests/scripts").rglob("*.scr"))
    texts = {path: path.read_bytes() for path in scripts}
    literal = re.compile(rb"""(?<![\w'"])[rbf]*('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")""")

    def literals(*areas):
        for path, text in texts.items():
            if path.parts[-2] in areas:
                yield from (found[1:-1].replace(rb"\\", b"\\") for found in literal.findall(text))

    choose = random.Random(1)
    if subject == "syntax":
        yield from (text for text in texts.values() if len(text) < LONGEST[subject])
    elif subject == "json":
        yield from literals("json")
        yield from [b'{"a": [1, -2.5e3, true, false, null, "\\u20ac\\ud83d\\ude00"], "b": {}}', b"[NaN, Infinity, -Infinity]", "[1]".encode("utf-16"), "[1]".encode("utf-32-be")]
    elif subject == "struct":
        formats = [b"<bBhHiIlLqQ", b"@nNP", b">efd", b"3s4p?c", b"=2x5i", b"!0s10s", b"@bi0q"]
        yield from (bytes([len(each)]) + each + bytes(range(64)) for each in [*formats, *literals("struct")] if len(each) < 200)
    elif subject == "format":
        specs = [b"{:>10}", b"{0.n!r:^{1}}", b"%05.2f %s", b"%(a)s", b"*^+#020_.3f", b",.10g", b"08b", b"%Y-%m", b"{a[0]}", b"%-*.*x", b"{v!a:=^9}{x}"]
        yield from (bytes([kind, choose.randrange(35)]) + each for each in [*specs, *literals("format", "fstring", "str")] for kind in range(5) if len(each) < 60)
    elif subject == "re":
        patterns = [rb"(a+|b)*?c(?=d)", rb"(?P<n>\w+)\s(?P=n)", rb"(?i:[^\d\W_]{2,5})$", rb"(?<!x)(?>a*)(b)?(?(1)c|d)", rb"\b[a-z-]+?\Z", rb"(?:(a)|b)*+\1"]
        yield from (bytes([flags, len(each)]) + each + b"abab abc xaabbcd aa aa 12" for each in [*patterns, *literals("re")] for flags in (0, 64) if len(each) < 200)
    elif subject == "pickle":
        import collections
        import datetime
        import pickle
        shared = [1, "two", b"3"]
        values = [None, 2**80, -1.5, shared, {1: shared, "x": (shared, shared)}, {1, 2}, frozenset("ab"), bytearray(b"x" * 300), "\u20ac" * 100, 1j, range(3), slice(1),
                  collections.OrderedDict(a=1), collections.deque([1], 3), collections.Counter("aab"), datetime.date(2020, 1, 1), datetime.timedelta(1), ValueError(1), len, collections.defaultdict(list, a=[1])]
        yield from (pickle.dumps(value, protocol) for value in values for protocol in range(6))
        yield b"c__main__\nPlain\n)\x81}(X\x01\x00\x00\x00aK\x01ub."
        yield b"c__main__\nSlots\n)\x81N}X\x01\x00\x00\x00aK\x01s\x86b."
        yield b"\x80\x04c__main__\nStateful\n)R}K\x01K\x02sb."
        yield b"c__main__\nEvil\n)\x81(K\x01K\x02K\x03K\x04ue."
        yield b"c__main__\nMany\n)\x81(K\x01K\x02e."
    elif subject == "cache":
        yield from (bytes([number, *change]) for number in range(16) for change in ([], [0, 200, 0, 1], [1, 0, 1, 1]))
        yield from kept_bodies()
    elif subject == "script":
        yield from (choose.randbytes(choose.choice([20, 60, 200, 600])) for _ in range(400))


def kept_bodies():
    """Compiled files of small scripts, as the fuzzer of `cache` reads them."""
    binary = os.environ.get("SCRIP_BINARY")
    if not binary:
        return
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        source = folder / "part.scr"
        (folder / "main.scr").write_text("try: import part\nexcept BaseException: pass\n")
        path = str(source).encode()
        areas = ["class", "generator", "closure", "comprehension", "with", "match", "exception", "function", "coroutine", "statement"]
        for script in sorted(each for area in areas for each in (ROOT / "tests/scripts" / area).glob("*.scr")):
            if script.stat().st_size > 900:
                continue
            source.write_bytes(script.read_bytes())
            subprocess.run([binary, folder / "main.scr"], cwd=folder, capture_output=True, timeout=20, stdin=subprocess.DEVNULL)
            kept = folder / "__scrcache__/part.scrc"
            if kept.exists():
                body = kept.read_bytes()[36:]
                yield b"\x80" + body.replace(bytes([len(path)]) + path, b"\x08part.scr")
                kept.unlink()


def options(subject):
    dictionary = FUZZ / "dictionaries" / f"{subject}.dict"
    found = [f"-max_len={LONGEST[subject]}", "-timeout=30", "-rss_limit_mb=3000", "-malloc_limit_mb=100"]
    return found + ([f"-dict={dictionary}"] if dictionary.exists() else [])


def run(subject, seconds):
    folder = work(subject)
    beginnings = sorted({seed for seed in seeds(subject) if len(seed) <= LONGEST[subject]})
    for seed in random.Random(1).sample(beginnings, min(len(beginnings), 500)):
        (folder / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
    kept = FUZZ / "corpus" / subject
    artifacts = FUZZ / "artifacts" / subject
    artifacts.mkdir(parents=True, exist_ok=True)
    folders = [folder, kept] if kept.is_dir() else [folder]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = ["nice", "-n", "10", program(subject), *folders, *options(subject), f"-max_total_time={seconds}", f"-artifact_prefix={artifacts}/", "-close_fd_mask=1", "-print_final_stats=1"]
    result = subprocess.run(command, env=environment(), stdin=subprocess.DEVNULL, cwd=TARGET)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{subject}: ended with {result.returncode}, {after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime:.0f} s of CPU", file=sys.stderr)
    return result.returncode


def keep(subject, n_files, n_bytes):
    kept = FUZZ / "corpus" / subject
    least = TARGET / "least" / subject
    shutil.rmtree(least, ignore_errors=True)
    least.mkdir(parents=True)
    kept.mkdir(parents=True, exist_ok=True)
    command = [program(subject), least, kept, work(subject), "-merge=1", *options(subject), "-close_fd_mask=1"]
    subprocess.run(command, env=environment(), stdin=subprocess.DEVNULL, cwd=TARGET, check=False)
    # Inputs that have names are faults of once, and stay. Of the others, where there are too many, some of every size: the large ones reach most.
    found = sorted(least.iterdir(), key=lambda path: path.stat().st_size)
    for path in kept.iterdir():
        if re.fullmatch("[0-9a-f]{40}", path.name):
            path.unlink()
    named = list(kept.iterdir())
    room = n_bytes - sum(path.stat().st_size for path in named)
    count = min(len(found), n_files - len(named))
    while True:
        chosen = [found[index * len(found) // count] for index in range(count)]
        size = sum(path.stat().st_size for path in chosen)
        if size <= room:
            break
        count -= 1
    for path in chosen:
        shutil.copy(path, kept / hashlib.sha1(path.read_bytes()).hexdigest())
    print(f"{subject}: {count} of {len(found)} inputs kept, {size} bytes, and {len(named)} with names")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["build", "run", "keep", "one", "smaller"])
    parser.add_argument("subject", nargs="?", choices=sorted(LONGEST))
    parser.add_argument("input", nargs="?", type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--bytes", type=int, default=300_000)
    given = parser.parse_args()
    if given.action == "build":
        build()
    elif given.action == "run":
        return run(given.subject, given.seconds)
    elif given.action == "keep":
        keep(given.subject, given.files, given.bytes)
    elif given.action == "one":
        return subprocess.run([program(given.subject), given.input.resolve(), *options(given.subject)], env={**environment(), "SCRIP_FUZZ_SHOW": "1"}, cwd=TARGET).returncode
    else:
        command = [program(given.subject), "-minimize_crash=1", "-max_total_time=60", *options(given.subject), given.input.resolve(), f"-exact_artifact_path={given.input.resolve()}.small"]
        return subprocess.run(command, env=environment(), cwd=TARGET).returncode


if __name__ == "__main__":
    sys.exit(main())
