"""Files, folders and the environment in tests."""

import collections.abc
import contextlib
import errno
import os
import stat
import sys
import unittest

TESTFN_ASCII = f"@test_{os.getpid()}_tmp"
TESTFN_UNICODE = TESTFN_ASCII + "-\xe0\xf2\u0258\u0141\u011f"


def _encodable(text):
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


TESTFN_UNENCODABLE = None
_lone = TESTFN_ASCII + "-\u5171\u0141\u2661\u0363\udc80x\ud800"
if not _encodable(_lone):
    TESTFN_UNENCODABLE = _lone

TESTFN_UNDECODABLE = None
for _tail in (b"\xff", b"\x81\x98", b"\xae\xd5", b"\xed\xb2\x80"):
    try:
        _tail.decode(sys.getfilesystemencoding())
    except UnicodeDecodeError:
        TESTFN_UNDECODABLE = os.fsencode(TESTFN_ASCII) + _tail
        break

FS_NONASCII = next((c for c in "\xe6\u0130\u0141\u03c6\u041a\u05d0\u060c\u062a\u0e01\xa0\u20ac" if _encodable(c)), "")
TESTFN_NONASCII = TESTFN_ASCII + FS_NONASCII if FS_NONASCII else None
TESTFN = TESTFN_NONASCII or TESTFN_ASCII
SAVEDCWD = os.getcwd()


def unlink(filename):
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(filename)


def rmdir(dirname):
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(dirname)


def rmtree(path):
    """Removes the folder and what is in it, also where permissions were taken away."""

    def remove(folder):
        with contextlib.suppress(OSError):
            os.chmod(folder, 0o700)
        for name in os.listdir(folder):
            full = os.path.join(folder, name)
            if stat.S_ISDIR(os.lstat(full).st_mode):
                remove(full)
            else:
                os.unlink(full)
        os.rmdir(folder)

    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(os.lstat(path).st_mode):
            remove(path)
        else:
            os.unlink(path)


def create_empty_file(filename):
    with open(filename, "wb"):
        pass


def _longpath(path):
    return path


@contextlib.contextmanager
def temp_dir(path=None, quiet=False):
    """A folder that exists inside."""
    import tempfile

    made = False
    if path is None:
        path = os.path.realpath(tempfile.mkdtemp())
        made = True
    else:
        try:
            os.mkdir(path)
            made = True
        except OSError as error:
            if not quiet:
                raise
            import warnings

            warnings.warn(f"tests may fail, unable to create temporary directory {path!r}: {error}", RuntimeWarning, stacklevel=3)
    pid = os.getpid()
    try:
        yield path
    finally:
        if made and pid == os.getpid():
            rmtree(path)


@contextlib.contextmanager
def change_cwd(path, quiet=False):
    """The current folder is another one inside."""
    before = os.getcwd()
    try:
        os.chdir(os.path.realpath(path))
    except OSError as error:
        if not quiet:
            raise
        import warnings

        warnings.warn(f"tests may fail, unable to change the current working directory to {path!r}: {error}", RuntimeWarning, stacklevel=3)
    try:
        yield os.getcwd()
    finally:
        os.chdir(before)


@contextlib.contextmanager
def temp_cwd(name="tempcwd", quiet=False):
    with temp_dir(path=name, quiet=quiet) as path:
        with change_cwd(path, quiet=quiet) as cwd:
            yield cwd


@contextlib.contextmanager
def temp_umask(umask):
    before = os.umask(umask)
    try:
        yield
    finally:
        os.umask(before)


@contextlib.contextmanager
def open_dir_fd(path):
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        yield fd
    finally:
        os.close(fd)


def make_bad_fd():
    """A descriptor that is closed."""
    file = open(TESTFN, "wb")
    try:
        return file.fileno()
    finally:
        file.close()
        unlink(TESTFN)


def fd_count():
    """How many descriptors are open."""
    names = os.listdir("/proc/self/fd")
    return len(names) - 1


class FakePath:
    """An object with `__fspath__`, which gives the path or raises it."""

    def __init__(self, path):
        self.path = path

    def __repr__(self):
        return f"<FakePath {self.path!r}>"

    def __fspath__(self):
        path = self.path
        if isinstance(path, BaseException) or isinstance(path, type) and issubclass(path, BaseException):
            raise path
        return path


class EnvironmentVarGuard(collections.abc.MutableMapping):
    """Changes of the environment that are undone at the end of `with`."""

    def __init__(self):
        self._environ = os.environ
        self._before = {}

    def __getitem__(self, name):
        return self._environ[name]

    def __setitem__(self, name, value):
        self._before.setdefault(name, self._environ.get(name))
        self._environ[name] = value

    def __delitem__(self, name):
        self._before.setdefault(name, self._environ.get(name))
        self._environ.pop(name, None)

    def __iter__(self):
        return iter(self._environ)

    def __len__(self):
        return len(self._environ)

    def __contains__(self, name):
        return name in self._environ

    def get(self, name, default=None):
        return self._environ.get(name, default)

    def keys(self):
        return self._environ.keys()

    def set(self, name, value):
        self[name] = value

    def unset(self, *names):
        for name in names:
            del self[name]

    def copy(self):
        return dict(self._environ)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        for name, value in self._before.items():
            if value is None:
                self._environ.pop(name, None)
            else:
                self._environ[name] = value
        os.environ = self._environ


_answers = {}


def _works(name, probe):
    """Whether `probe(path)` works, tried once with the name of a file that does not exist."""
    if name not in _answers:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            try:
                _answers[name] = probe(os.path.join(folder, "probe")) is not False
            except (OSError, NotImplementedError, AttributeError):
                _answers[name] = False
    return _answers[name]


def can_symlink():
    return _works("symlink", lambda path: os.symlink(path, path + "2"))


def can_hardlink():
    def probe(path):
        create_empty_file(path)
        os.link(path, path + "2")

    return _works("hardlink", probe)


def can_chmod():
    def probe(path):
        create_empty_file(path)
        os.chmod(path, 0o555)
        first = os.stat(path).st_mode
        os.chmod(path, 0o777)
        return stat.S_IMODE(first) != stat.S_IMODE(os.stat(path).st_mode)

    return _works("chmod", probe)


def can_xattr():
    def probe(path):
        create_empty_file(path)
        os.setxattr(path, b"user.test", b"")

    return hasattr(os, "setxattr") and _works("xattr", probe)


def can_dac_override():
    """Whether permissions do not bind us."""

    def probe(path):
        create_empty_file(path)
        os.chmod(path, 0o400)
        with open(path, "wb"):
            pass

    return _works("dac", probe)


def skip_unless_symlink(test):
    return unittest.skipUnless(can_symlink(), "Requires functional symlink implementation")(test)


def skip_unless_hardlink(test):
    return unittest.skipUnless(can_hardlink(), "requires hardlink support")(test)


def skip_unless_working_chmod(test):
    return unittest.skipUnless(can_chmod(), "requires working os.chmod()")(test)


def skip_unless_xattr(test):
    return unittest.skipUnless(can_xattr(), "no non-broken extended attribute support")(test)


def skip_if_dac_override(test):
    return unittest.skipIf(can_dac_override(), "incompatible with CAP_DAC_OVERRIDE")(test)


def skip_unless_dac_override(test):
    return unittest.skipUnless(can_dac_override(), "requires CAP_DAC_OVERRIDE")(test)


def subst_drive(path):
    raise unittest.SkipTest("Windows only")
