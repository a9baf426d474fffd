"""Imports in tests: skipping, afresh, of modules that were just written."""

import contextlib
import importlib
import os
import shutil
import sys
import unittest
import warnings

from .os_helper import temp_dir, unlink


@contextlib.contextmanager
def _ignore_deprecated_imports(ignore=True):
    if not ignore:
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".+ (module|package)", DeprecationWarning)
        yield


def unload(name):
    sys.modules.pop(name, None)


def _compiled_names(source):
    folder, name = os.path.split(source)
    stem = name.rpartition(".")[0]
    yield source + "c"
    tag = getattr(sys.implementation, "cache_tag", None)
    if tag:
        for optimization in ("", ".opt-1", ".opt-2"):
            yield os.path.join(folder, "__pycache__", f"{stem}.{tag}{optimization}.pyc")


def forget(modname):
    """The module is not loaded, and has no compiled files on the path."""
    unload(modname)
    for folder in sys.path:
        for name in _compiled_names(os.path.join(folder, modname + ".py")):
            unlink(name)


def make_legacy_pyc(source, allow_compile=False):
    """Moves the compiled file beside its source."""
    from importlib.util import cache_from_source

    cached = cache_from_source(source)
    target = source + "c"
    shutil.move(cached, target)
    return target


class _NoCApi:
    """Stands for a module of CPython's C API where there is none: a test that uses it is skipped, the others run."""

    def __init__(self, name):
        self.__dict__["_name"] = name

    def __getattr__(self, attr):
        if attr.startswith("__") and attr.endswith("__"):
            raise AttributeError(attr)
        raise unittest.SkipTest(f"No module named {self._name!r}")


_C_API_MODULES = ("_testcapi", "_testlimitedcapi", "_testinternalcapi", "_testsinglephase", "_testmultiphase")


def import_module(name, deprecated=False, *, required_on=()):
    """The module, or the test is skipped."""
    with _ignore_deprecated_imports(deprecated):
        try:
            return importlib.import_module(name)
        except ImportError as error:
            if name in _C_API_MODULES:
                return _NoCApi(name)
            if sys.platform.startswith(tuple(required_on)):
                raise
            raise unittest.SkipTest(str(error)) from None


def _belongs(name, roots):
    return any(name == root or name.startswith(root + ".") for root in roots)


def import_fresh_module(name, fresh=(), blocked=(), *, deprecated=False, usefrozen=False):
    """The module imported anew, with the modules in `fresh` anew too and those in `blocked` not importable.

    sys.modules is as before afterwards. None if something needed cannot be imported.
    """
    with _ignore_deprecated_imports(deprecated):
        fresh, blocked = list(fresh), list(blocked)
        names = {name, *fresh, *blocked}
        before = sys.modules.copy()
        for loaded in list(sys.modules):
            if _belongs(loaded, names):
                del sys.modules[loaded]
        for blocked_name in blocked:
            sys.modules[blocked_name] = None
        try:
            try:
                for fresh_name in fresh:
                    importlib.import_module(fresh_name)
            except ImportError:
                return None
            return importlib.import_module(name)
        finally:
            for loaded in list(sys.modules):
                if _belongs(loaded, names):
                    del sys.modules[loaded]
            sys.modules.update(before)


class CleanImport:
    """Inside, the named modules are imported anew; afterwards they are as before."""

    def __init__(self, *module_names, usefrozen=False):
        self.before = sys.modules.copy()
        for name in module_names:
            if name in sys.modules:
                module = sys.modules[name]
                if module.__name__ != name:
                    del sys.modules[module.__name__]
                del sys.modules[name]

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        sys.modules.update(self.before)


class DirsOnSysPath:
    """Inside, the folders are on sys.path too."""

    def __init__(self, *paths):
        self.before = sys.path[:]
        self.object = sys.path
        sys.path.extend(paths)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        sys.path = self.object
        sys.path[:] = self.before


def modules_setup():
    return (sys.modules.copy(),)


def modules_cleanup(before):
    kept = {name: module for name, module in sys.modules.items() if name.startswith("encodings.")}
    sys.modules.clear()
    sys.modules.update(kept)
    sys.modules.update(before)


@contextlib.contextmanager
def isolated_modules():
    (before,) = modules_setup()
    try:
        yield
    finally:
        modules_cleanup(before)


@contextlib.contextmanager
def frozen_modules(enabled=True):
    yield


@contextlib.contextmanager
def multi_interp_extensions_check(enabled=True):
    yield


@contextlib.contextmanager
def ready_to_import(name=None, source=""):
    """Inside, a module with that source can be imported; gives its name and its file's path."""
    name = name or "spam"
    with temp_dir() as folder:
        path = os.path.join(folder, name + ".py")
        with open(path, "w") as file:
            file.write(source)
        before = sys.modules.pop(name, None)
        try:
            sys.path.insert(0, folder)
            importlib.invalidate_caches()
            yield name, path
        finally:
            sys.path.remove(folder)
            if before is not None:
                sys.modules[name] = before
            else:
                sys.modules.pop(name, None)


def ensure_lazy_imports(imported_module, modules_to_block):
    """Importing the module must not import the others."""
    from . import script_helper

    code = f"import sys, {imported_module}; print([m for m in {sorted(modules_to_block)!r} if m in sys.modules])"
    result = script_helper.assert_python_ok("-c", code)
    if result.out.strip() != b"[]":
        raise AssertionError(f"unexpectedly imported after importing {imported_module}: {result.out!r}")
