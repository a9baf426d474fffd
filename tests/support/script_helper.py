"""Scripts that run in processes of their own."""

import collections
import importlib
import os
import os.path
import sys
import unittest

from .import_helper import import_module


def _subprocess():
    # Without processes such a test is skipped.
    return import_module("subprocess")


def interpreter_requires_environment():
    return False


class _PythonRunResult(collections.namedtuple("_PythonRunResult", ("rc", "out", "err"))):
    """How a script ended: exit code, stdout, stderr."""

    def fail(self, cmd_line):
        def shown(stream):
            return stream[-8000:].decode("utf-8", "backslashreplace").rstrip()

        code = f"-{-self.rc} (signal)" if self.rc < 0 else self.rc
        raise AssertionError(
            f"Process return code is {code}\ncommand line: {cmd_line!r}\n\n"
            f"stdout:\n---\n{shown(self.out)}\n---\n\nstderr:\n---\n{shown(self.err)}\n---"
        )


def _isolating(env_vars, isolated):
    if isolated is not None:
        return isolated
    return not env_vars


def run_python_until_end(*args, **env_vars):
    """Runs the interpreter with the arguments; `__isolated` and `__cleanenv` as names in `env_vars` have a meaning."""
    subprocess = _subprocess()
    isolated = _isolating({k: v for k, v in env_vars.items() if not k.startswith("__")}, env_vars.pop("__isolated", None))
    cmd_line = [sys.executable]
    if sys.implementation.name == "cpython":
        cmd_line += ["-X", "faulthandler"]
        if isolated:
            cmd_line.append("-I")
        elif not env_vars.get("__cleanenv"):
            cmd_line.append("-E") if not any(k.startswith("PYTHON") for k in env_vars) else None
    cwd = env_vars.pop("__cwd", None)
    env = {} if env_vars.pop("__cleanenv", None) else os.environ.copy()
    env.setdefault("TERM", "")
    if "TERM" not in env_vars:
        env["TERM"] = ""
    env.update(env_vars)
    # Where the tests are no part of the library, scripts that import them have to be told where they are.
    env.setdefault("SCRIPPATH", os.path.dirname(list(sys.modules["test"].__path__)[0]))
    cmd_line.extend(args)
    with subprocess.Popen(
        cmd_line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=cwd
    ) as proc:
        try:
            out, err = proc.communicate()
        finally:
            proc.kill()
            subprocess._cleanup()
        rc = proc.returncode
    return _PythonRunResult(rc, out, err), cmd_line


def _assert_python(expected_success, /, *args, **env_vars):
    result, cmd_line = run_python_until_end(*args, **env_vars)
    if bool(result.rc) == bool(expected_success):
        result.fail(cmd_line)
    return result


def assert_python_ok(*args, **env_vars):
    """Runs the interpreter, which must exit with 0."""
    return _assert_python(True, *args, **env_vars)


def assert_python_failure(*args, **env_vars):
    """Runs the interpreter, which must not exit with 0."""
    return _assert_python(False, *args, **env_vars)


def spawn_python(*args, stdout=-1, stderr=-2, **kw):
    """Starts the interpreter with pipes."""
    subprocess = _subprocess()
    cmd_line = [sys.executable]
    if sys.implementation.name == "cpython":
        cmd_line.append("-E")
    cmd_line.extend(args)
    env = kw.setdefault("env", dict(os.environ))
    env["TERM"] = "vt100"
    return subprocess.Popen(cmd_line, stdin=subprocess.PIPE, stdout=stdout, stderr=stderr, **kw)


def kill_python(p):
    """Ends what `spawn_python` started and gives what it wrote."""
    p.stdin.close()
    data = p.stdout.read()
    p.stdout.close()
    p.wait()
    _subprocess()._cleanup()
    return data


def make_script(script_dir, script_basename, source, omit_suffix=False):
    """Writes the source into a file and gives its path."""
    name = script_basename if omit_suffix else script_basename + os.extsep + "py"
    path = os.path.join(script_dir, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(source)
    importlib.invalidate_caches()
    return path


def make_pkg(pkg_dir, init_source=""):
    os.mkdir(pkg_dir)
    make_script(pkg_dir, "__init__", init_source)


def make_zip_script(zip_dir, zip_basename, script_name, name_in_zip=None):
    """Writes an archive with the script in it; gives its path and the name inside."""
    import zipfile

    zip_name = os.path.join(zip_dir, zip_basename + os.extsep + "zip")
    if name_in_zip is None:
        name_in_zip = os.path.basename(script_name)
    with zipfile.ZipFile(zip_name, "w") as archive:
        archive.write(script_name, name_in_zip)
    return zip_name, os.path.join(zip_name, name_in_zip)


def run_test_script(script):
    """Runs the script, with its tests, in a process."""
    from . import findfile

    result = assert_python_ok("-u", findfile(script), "-v", PYTHONPATH=os.pathsep.join(sys.path))
    return result
