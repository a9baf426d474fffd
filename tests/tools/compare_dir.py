"""Dumps what CPython 3.13 offers: the names and signatures of its built-in types, functions and the first modules.

    SCRIP_REFERENCE=/path/to/python3.13 python3 tests/tools/compare_dir.py

writes tests/tools/cpython_313_api.json, which is kept; `scrip tests/tools/api_gap.scr` compares Scrip with it.
The file maps a module's name to its names; each name to {"kind", "signature", "members"}, where members are a class's
own and inherited attributes, each with its signature or null.
"""

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

TARGET = Path(__file__).resolve().parent / "cpython_313_api.json"
MODULES = [
    "builtins", "sys", "time", "math", "random", "collections", "collections.abc", "functools", "itertools", "operator",
    "io", "os", "os.path", "json", "json.decoder", "json.encoder", "re", "string", "struct", "array", "types", "weakref",
    "gc", "copy", "contextlib", "dataclasses", "enum", "abc", "typing", "traceback", "_thread", "threading",
]
# Types that have no name in a module.
ANONYMOUS = {
    "dict_keys": "type({}.keys())", "dict_values": "type({}.values())", "dict_items": "type({}.items())",
    "list_iterator": "type(iter([]))", "str_iterator": "type(iter('é'))", "tuple_iterator": "type(iter(()))",
    "set_iterator": "type(iter(set()))", "range_iterator": "type(iter(range(0)))", "dict_keyiterator": "type(iter({}))",
    "bytes_iterator": "type(iter(b''))",
}


def signature_of(value):
    try:
        # Default values that show an address would differ between any two runs.
        return re.sub(" at 0x[0-9a-f]+", "", str(inspect.signature(value)))
    except (TypeError, ValueError):
        return None


def described(value):
    if inspect.isclass(value):
        members = {}
        for name in dir(value):
            try:
                member = getattr(value, name)
            except AttributeError:
                # `dir` names it, but it is only there for instances.
                continue
            members[name] = signature_of(member) if callable(member) and not inspect.isclass(member) else None
        return {"kind": "class", "signature": signature_of(value), "members": members}
    if callable(value):
        return {"kind": "function", "signature": signature_of(value)}
    if inspect.ismodule(value):
        return {"kind": "module"}
    return {"kind": "value", "type": type(value).__name__}


def is_own(module, value):
    home = getattr(value, "__module__", None) or module.__name__
    return not inspect.ismodule(value) and home.lstrip("_") in (module.__name__.lstrip("_"), "builtins")


def dump():
    # Without `site`, so that its additions to the built-in names do not count.
    api = {}
    for name in MODULES:
        module = importlib.import_module(name)
        public = getattr(module, "__all__", None)
        names = sorted(public or (n for n in dir(module) if not n.startswith("_")))
        # What a module without `__all__` happens to import is not part of what it offers.
        api[name] = {n: described(getattr(module, n)) for n in names if public or is_own(module, getattr(module, n))}
    api["(types without a name)"] = {
        name: described(eval(source)) for name, source in ANONYMOUS.items() if eval(source) is not None
    }
    return api


if __name__ == "__main__":
    if "--dump" in sys.argv:
        json.dump(dump(), sys.stdout, indent=0, sort_keys=True, separators=(",", ":"))
    else:
        reference = os.environ.get("SCRIP_REFERENCE", "python3.13")
        done = subprocess.run([reference, "-S", __file__, "--dump"], capture_output=True, text=True, check=True)
        TARGET.write_text(done.stdout + "\n")
        api = json.loads(done.stdout)
        print(f"{sum(map(len, api.values()))} names of {len(api)} modules")
