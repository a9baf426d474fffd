"""Stands in for CPython's `test.support` when CPython's own test modules run on Scrip (and on CPython, to check the stand-in).

Written for this project after the names that those modules use. It asks the running interpreter what it can do and never
its name: a test for CPython alone runs here too, and passes or fails.
"""

import contextlib
import functools
import gc
import math
import os
import struct
import sys
import time
import types
import unittest
import warnings

# Seconds: how long the quick, the usual and the slow things may take.
LOOPBACK_TIMEOUT = 10.0
INTERNET_TIMEOUT = 60.0
SHORT_TIMEOUT = 30.0
LONG_TIMEOUT = 300.0

TEST_SUPPORT_DIR = os.path.dirname(os.path.abspath(__file__))
_PACKAGE = sys.modules["test"]
TEST_HOME_DIR = os.path.dirname(os.path.realpath(os.path.join(list(_PACKAGE.__path__)[0], "__init__.py")))
STDLIB_DIR = os.path.dirname(TEST_HOME_DIR)
REPO_ROOT = os.path.dirname(STDLIB_DIR)
TEST_DATA_DIR = os.path.join(TEST_HOME_DIR, "data")

verbose = 0
use_resources = None
max_memuse = 0
real_max_memuse = 0
failfast = False
environment_altered = False
PGO = PGO_EXTENDED = False

MS_WINDOWS = False
is_jython = is_android = is_emscripten = is_wasi = is_apple_mobile = is_apple = False
unix_shell = "/bin/sh"
has_fork_support = hasattr(os, "fork")
has_subprocess_support = has_socket_support = True
has_strftime_extensions = True
HAVE_ASAN_FORK_BUG = False
Py_DEBUG = hasattr(sys, "gettotalrefcount")
Py_TRACE_REFS = hasattr(sys, "getobjects")
Py_GIL_DISABLED = False
MISSING_C_DOCSTRINGS = False
TEST_MODULES_ENABLED = True
PIPE_MAX_SIZE = 4 * 1024 * 1024 + 1
SOCK_MAX_SIZE = 16 * 1024 * 1024 + 1
MAX_Py_ssize_t = sys.maxsize
NHASHBITS = sys.hash_info.width
ADAPTIVE_WARMUP_DELAY = 2
_1M, _1G, _2G, _4G = 2**20, 2**30, 2**31, 2**32


def _stand_in(name, module):
    """Where CPython's module for tests of its C API is missing, ours stands for it."""
    try:
        __import__(name)
    except ImportError:
        from importlib import import_module

        sys.modules[name] = import_module(f"{__name__}.{module}")


_stand_in("_testcapi", "c_api")
_stand_in("_testinternalcapi", "internal_c_api")


class Error(Exception):
    """Base of what is raised here."""


class TestFailed(Error):
    """A test failed."""


class TestDidNotRun(Error):
    """No test ran."""


class ResourceDenied(unittest.SkipTest):
    """The test asks for something that is not given."""


# What the running interpreter is and can do


def _identity(item):
    return item


def check_impl_detail(**guards):
    """Whether tests of CPython's own behaviour run: they do, wherever CPython is meant."""
    if not guards:
        return True
    if all(not value for value in guards.values()):
        return guards.get("cpython", True)
    return guards.get("cpython", False)


def cpython_only(test):
    return test


def impl_detail(msg=None, **guards):
    if check_impl_detail(**guards):
        return _identity
    return unittest.skip(msg or "an implementation detail of others")


def _docstring_probe():
    """Present unless docstrings are stripped."""


HAVE_DOCSTRINGS = _docstring_probe.__doc__ is not None
requires_docstrings = unittest.skipUnless(HAVE_DOCSTRINGS, "there are no docstrings")
requires_IEEE_754 = unittest.skipUnless(float.__getformat__("double").startswith("IEEE"), "floats are not IEEE 754")


def _skip_without_module(name):
    def requires_module(reason=f"requires {name}"):
        try:
            __import__(name)
        except ImportError:
            return unittest.skip(reason)
        return _identity

    return requires_module


requires_zlib = _skip_without_module("zlib")
requires_gzip = _skip_without_module("gzip")
requires_bz2 = _skip_without_module("bz2")
requires_lzma = _skip_without_module("lzma")


def has_no_debug_ranges():
    # Any code that does something.
    return all(position[2] is None for position in has_no_debug_ranges.__code__.co_positions())


def requires_debug_ranges(reason="needs columns in line tables"):
    return unittest.skipIf(has_no_debug_ranges(), reason)


def requires_fork():
    return unittest.skipUnless(has_fork_support, "needs os.fork")


def requires_subprocess():
    return unittest.skipUnless(has_subprocess_support, "needs processes")


def requires_working_socket(*, module=False):
    if module:
        try:
            import socket
        except ImportError:
            raise unittest.SkipTest("needs sockets") from None
        return None
    return _skip_without_module("socket")("needs sockets")


def requires_gil_enabled(msg="needs the GIL"):
    return unittest.skipIf(Py_GIL_DISABLED, msg)


def expected_failure_if_gil_disabled():
    return _identity


def requires_specialization(test):
    try:
        import _opcode
    except ImportError:
        return unittest.skip("needs specialised instructions")(test)
    return unittest.skipUnless(_opcode.ENABLE_SPECIALIZATION, "needs specialised instructions")(test)


def requires_limited_api(test):
    try:
        import _testcapi
        import _testlimitedcapi
    except ImportError:
        return unittest.skip("needs the C API's test modules")(test)
    return test


def requires_linux_version(*minimum):
    release = tuple(int(n) for n in os.uname().release.split("-")[0].split(".")[:2] if n.isdigit())
    return unittest.skipIf(sys.platform == "linux" and release < minimum, "needs a newer kernel")


def requires_freebsd_version(*minimum):
    return _identity


def requires_mac_ver(*minimum):
    return _identity


def check_sanitizer(*, address=False, memory=False, ub=False, thread=False):
    return False


def skip_if_sanitizer(reason=None, *, address=False, memory=False, ub=False, thread=False):
    return _identity


def skip_if_buildbot(reason=None):
    return _identity


def skip_on_s390x(test):
    return test


def skip_if_pgo_task(test):
    return test


def skip_if_buggy_ucrt_strfptime(test):
    return test


def skip_if_suppress_immortalization():
    return _identity


@contextlib.contextmanager
def suppress_immortalization(suppress=True):
    yield


def without_optimizer(func):
    return func


def refcount_test(test):
    return no_tracing(test)


def no_tracing(func):
    """The decorated test runs without a trace function."""

    @functools.wraps(func)
    def wrapper(*args, **kwargs):
        get_trace = getattr(sys, "gettrace", None)
        before = get_trace() if get_trace else None
        if before is None:
            return func(*args, **kwargs)
        sys.settrace(None)
        try:
            return func(*args, **kwargs)
        finally:
            sys.settrace(before)

    return wrapper


def darwin_malloc_err_warning(test_name):
    pass


def with_pymalloc():
    try:
        import _testcapi
    except ImportError:
        return False
    return getattr(_testcapi, "WITH_PYMALLOC", False)


def python_is_optimized():
    return True


def is_resource_enabled(resource):
    """Nothing that costs much (network, gigabytes, minutes, a display) is given; what costs CPU time is."""
    return use_resources is not None and resource in use_resources


def requires(resource, msg=None):
    if not is_resource_enabled(resource):
        raise ResourceDenied(msg or f"Use of the {resource!r} resource not enabled")


def requires_resource(resource):
    if is_resource_enabled(resource):
        return _identity
    return unittest.skip(f"resource {resource!r} is not enabled")


def get_attribute(obj, name):
    """The attribute, or the test is skipped."""
    try:
        return getattr(obj, name)
    except AttributeError:
        raise unittest.SkipTest(f"object {obj!r} has no attribute {name!r}") from None


def anticipate_failure(condition):
    return unittest.expectedFailure if condition else _identity


# Finding things


def findfile(filename, subdir=None):
    """The full path of a test's data file, or the name itself if there is none."""
    if os.path.isabs(filename):
        return filename
    if subdir is not None:
        filename = os.path.join(subdir, filename)
    for folder in [TEST_HOME_DIR, *sys.path]:
        path = os.path.join(folder, filename)
        if os.path.exists(path):
            return path
    return filename


def open_urlresource(url, *args, **kwargs):
    raise ResourceDenied("the network is not used")


def load_package_tests(pkg_dir, loader, standard_tests, pattern):
    """What a test package's `load_tests` does: all its modules' tests."""
    top = os.path.dirname(os.path.dirname(os.path.abspath(pkg_dir)))
    top = next((p for p in sys.path if os.path.realpath(os.path.join(p, "test")) == os.path.realpath(TEST_HOME_DIR)), top)
    for folder in sys.modules["test"].__path__:
        top = os.path.dirname(os.path.abspath(folder))
    standard_tests.addTests(loader.discover(start_dir=pkg_dir, top_level_dir=top, pattern=pattern or "test*"))
    return standard_tests


def sortdict(dict):
    """`repr` of a dict with sorted keys."""
    return "{" + ", ".join("%r: %r" % item for item in sorted(dict.items())) + "}"


def run_code(code, extra_names=None):
    import textwrap

    names = dict(extra_names or {})
    exec(textwrap.dedent(code), names)
    return names


def check_syntax_error(testcase, statement, errtext="", *, lineno=None, offset=None):
    with testcase.assertRaisesRegex(SyntaxError, errtext) as caught:
        compile(statement, "<test string>", "exec")
    error = caught.exception
    testcase.assertIsNotNone(error.lineno)
    if lineno is not None:
        testcase.assertEqual(error.lineno, lineno)
    testcase.assertIsNotNone(error.offset)
    if offset is not None:
        testcase.assertEqual(error.offset, offset)


# Capturing and changing for a while


@contextlib.contextmanager
def captured_output(stream_name):
    """sys.stdout, sys.stderr or sys.stdin is a StringIO inside."""
    import io

    before = getattr(sys, stream_name)
    setattr(sys, stream_name, io.StringIO())
    try:
        yield getattr(sys, stream_name)
    finally:
        setattr(sys, stream_name, before)


def captured_stdout():
    return captured_output("stdout")


def captured_stderr():
    return captured_output("stderr")


def captured_stdin():
    return captured_output("stdin")


_original_stdout = None


def record_original_stdout(stdout):
    global _original_stdout
    _original_stdout = stdout


def get_original_stdout():
    return _original_stdout or sys.stdout


def flush_std_streams():
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def print_warning(msg):
    flush_std_streams()
    for line in msg.splitlines():
        print(f"Warning -- {line}", file=sys.__stderr__)
    sys.__stderr__.flush()


_absent = object()


@contextlib.contextmanager
def swap_attr(obj, attr, new_val):
    """`obj.attr` is `new_val` inside; gives what it was."""
    before = getattr(obj, attr, _absent)
    setattr(obj, attr, new_val)
    try:
        yield None if before is _absent else before
    finally:
        if before is not _absent:
            setattr(obj, attr, before)
        elif hasattr(obj, attr):
            delattr(obj, attr)


@contextlib.contextmanager
def swap_item(obj, item, new_val):
    """`obj[item]` is `new_val` inside; gives what it was."""
    before = obj[item] if item in obj else _absent
    obj[item] = new_val
    try:
        yield None if before is _absent else before
    finally:
        if before is not _absent:
            obj[item] = before
        elif item in obj:
            del obj[item]


def patch(test_instance, object_to_patch, attr_name, new_value):
    """`object_to_patch.attr_name` is `new_value` till the test ends."""
    before = getattr(object_to_patch, attr_name)
    is_own = attr_name in vars(object_to_patch) if hasattr(object_to_patch, "__dict__") else True

    def restore():
        if is_own:
            setattr(object_to_patch, attr_name, before)
        else:
            delattr(object_to_patch, attr_name)

    test_instance.addCleanup(restore)
    setattr(object_to_patch, attr_name, new_value)


@contextlib.contextmanager
def patch_list(orig):
    before = orig[:]
    try:
        yield
    finally:
        orig[:] = before


@contextlib.contextmanager
def disable_gc():
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def gc_threshold(*args):
    before = gc.get_threshold()
    gc.set_threshold(*args)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def gc_collect():
    """Everything that can be freed is freed."""
    for _ in range(3):
        gc.collect()


@contextlib.contextmanager
def adjust_int_max_str_digits(max_digits):
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(max_digits)
    try:
        yield
    finally:
        sys.set_int_max_str_digits(before)


@contextlib.contextmanager
def set_recursion_limit(limit):
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(limit)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def get_recursion_depth():
    """How many frames there are, the caller's included."""
    depth = 0
    frame = sys._getframe(1)
    while frame is not None:
        depth += 1
        frame = frame.f_back
    return max(depth, 1)


def get_recursion_available():
    return sys.getrecursionlimit() - get_recursion_depth()


@contextlib.contextmanager
def infinite_recursion(max_depth=None):
    """For code that recurses without end: it hits a low limit soon."""
    if max_depth is None:
        max_depth = 20_000 if not Py_DEBUG else 500
    elif max_depth < 3:
        raise ValueError(f"max_depth must be at least 3, got {max_depth}")
    depth = get_recursion_depth() + max_depth
    with set_recursion_limit(depth):
        yield


def get_c_recursion_limit():
    try:
        import _testcapi
    except ImportError:
        return 100_000  # as deep as a native stack of the usual size goes in no implementation
    return _testcapi.Py_C_RECURSION_LIMIT


def exceeds_recursion_limit():
    """A depth that natives do not survive without an exception."""
    return get_c_recursion_limit() * 3


def setswitchinterval(interval):
    return sys.setswitchinterval(interval)


def force_not_colorized(func):
    """The test sees no colours, whatever the environment says."""

    @functools.wraps(func)
    def wrapper(*args, **kwargs):
        names = ("PYTHON_COLORS", "FORCE_COLOR", "NO_COLOR")
        before = {name: os.environ.pop(name, None) for name in names}
        os.environ["NO_COLOR"] = "1"
        try:
            return func(*args, **kwargs)
        finally:
            del os.environ["NO_COLOR"]
            for name, value in before.items():
                if value is not None:
                    os.environ[name] = value

    return wrapper


@contextlib.contextmanager
def _locale_set(catstr, locales):
    import locale

    category = getattr(locale, catstr)
    before = locale.setlocale(category)
    for name in locales:
        try:
            locale.setlocale(category, name)
            break
        except locale.Error:
            continue
    try:
        yield
    finally:
        locale.setlocale(category, before)


def run_with_locale(catstr, *locales):
    """The decorated function runs in the first of the locales that there is."""

    def decorator(func):
        @functools.wraps(func)
        def wrapper(*args, **kwargs):
            with _locale_set(catstr, locales):
                return func(*args, **kwargs)

        return wrapper

    return decorator


def run_with_locales(catstr, *locales):
    """The decorated test runs once for each of the locales that there is."""

    def decorator(func):
        @functools.wraps(func)
        def wrapper(self, *args, **kwargs):
            for name in locales:
                with self.subTest(locale=name), _locale_set(catstr, [name] if name else []):
                    func(self, *args, **kwargs)

        return wrapper

    return decorator


def run_with_tz(tz):
    """The decorated function runs in the time zone."""

    def decorator(func):
        @functools.wraps(func)
        def wrapper(*args, **kwargs):
            if not hasattr(time, "tzset"):
                raise unittest.SkipTest("tzset required")
            before = os.environ.get("TZ")
            os.environ["TZ"] = tz
            time.tzset()
            try:
                return func(*args, **kwargs)
            finally:
                if before is None:
                    del os.environ["TZ"]
                else:
                    os.environ["TZ"] = before
                time.tzset()

        return wrapper

    return decorator


class SuppressCrashReport:
    """No core file is written inside."""

    def __enter__(self):
        self.before = None
        try:
            import resource

            self.before = resource.getrlimit(resource.RLIMIT_CORE)
            resource.setrlimit(resource.RLIMIT_CORE, (0, self.before[1]))
        except (ImportError, ValueError, OSError):
            pass
        return self

    def __exit__(self, *exc_info):
        if self.before is not None:
            import resource

            resource.setrlimit(resource.RLIMIT_CORE, self.before)


def suppress_msvcrt_asserts(verbose=False):
    pass


@contextlib.contextmanager
def disable_faulthandler():
    yield


class SaveSignals:
    """Notes the handlers of all signals and can put them back."""

    def __init__(self):
        import signal

        self.signal = signal
        self.numbers = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
        self.handlers = {}

    def save(self):
        for number in self.numbers:
            handler = self.signal.getsignal(number)
            if handler is not None:
                self.handlers[number] = handler

    def restore(self):
        for number, handler in self.handlers.items():
            self.signal.signal(number, handler)


class catch_unraisable_exception:
    """Inside, what cannot be raised is kept in `unraisable`."""

    def __init__(self):
        self.unraisable = None
        self._before = None

    def _hook(self, unraisable):
        self.unraisable = unraisable

    def __enter__(self):
        self._before = sys.unraisablehook
        sys.unraisablehook = self._hook
        return self

    def __exit__(self, *exc_info):
        sys.unraisablehook = self._before
        del self.unraisable


# Memory and sizes


def _bigmem_decorator(size, memuse, dry_run=True):
    def decorator(func):
        @functools.wraps(func)
        def wrapper(self):
            # Without gigabytes to spend the test runs small, if it can.
            if not dry_run:
                raise unittest.SkipTest("not enough memory")
            return func(self, 5147)

        wrapper.size, wrapper.memuse = size, memuse
        return wrapper

    return decorator


def bigmemtest(size, memuse, dry_run=True):
    return _bigmem_decorator(size, memuse, dry_run)


def bigaddrspacetest(func):
    @functools.wraps(func)
    def wrapper(self):
        raise unittest.SkipTest("not enough memory")

    return wrapper


def calcobjsize(fmt):
    return struct.calcsize("nP" + fmt + "0n")


def calcvobjsize(fmt):
    return struct.calcsize("nPn" + fmt + "0n")


def check_sizeof(test, o, size):
    try:
        import _testinternalcapi
    except ImportError:
        raise unittest.SkipTest("sizes of objects are CPython's own") from None
    flags = type(o).__flags__
    if isinstance(o, type) and flags & 1 << 9 or not isinstance(o, type) and flags & 1 << 14:
        size += _testinternalcapi.SIZEOF_PYGC_HEAD
    test.assertEqual(sys.getsizeof(o), size, "wrong size for %s: got %d, expected %d" % (type(o), sys.getsizeof(o), size))


def collision_stats(nbins, nballs):
    """Mean and standard deviation of the number of collisions of balls thrown into bins at random."""
    n, k = nbins, nballs
    if k > n * 2**16:
        return float(k - n), 0.0
    from fractions import Fraction

    # With q = 1 - 1/n: E[empty] = n q^k; and for two given bins (1 - 2/n)^k that both are empty.
    log_empty = k * math.log1p(-1 / n)
    empty = n * math.exp(log_empty)
    mean = k - n + empty
    both = n * (n - 1) * math.exp(k * math.log1p(-2 / n)) if n > 2 else 0.0
    variance = both + empty - empty * empty
    if n > 1000:
        # The difference above loses its digits: an expansion for large n.
        load = k / n
        e = math.exp(-load)
        variance = n * e * (1 - (1 + load) * e)
    return mean, math.sqrt(max(variance, 0.0))


# Objects that behave in one special way


class _AlwaysEqual:
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False


class _NeverEqual:
    def __eq__(self, other):
        return False

    def __ne__(self, other):
        return True

    def __hash__(self):
        return 1


@functools.total_ordering
class _Largest:
    def __eq__(self, other):
        return isinstance(other, _Largest)

    def __lt__(self, other):
        return False


@functools.total_ordering
class _Smallest:
    def __eq__(self, other):
        return isinstance(other, _Smallest)

    def __gt__(self, other):
        return False


ALWAYS_EQ, NEVER_EQ, LARGEST, SMALLEST = _AlwaysEqual(), _NeverEqual(), _Largest(), _Smallest()


class BrokenIter:
    """An iterable that raises ZeroDivisionError at the stage asked for."""

    def __init__(self, init_raises=False, next_raises=False, iter_raises=False):
        if init_raises:
            1 / 0
        self.next_raises = next_raises
        self.iter_raises = iter_raises

    def __next__(self):
        if self.next_raises:
            1 / 0

    def __iter__(self):
        if self.iter_raises:
            1 / 0
        return self


class Matcher:
    """Compares a dict's items with what is expected, texts by what they contain."""

    _partial_matches = ("msg", "message")

    def matches(self, d, **kwargs):
        return all(self.match_value(k, d.get(k), v) for k, v in kwargs.items())

    def match_value(self, k, dv, v):
        if type(v) is not type(dv):
            return False
        if type(dv) is not str or k not in self._partial_matches:
            return v == dv
        return dv.find(v) >= 0


def late_deletion(obj):
    """Keeps `obj` till the interpreter ends."""
    holder = types.SimpleNamespace(obj=obj)
    sys.modules.setdefault("_kept_by_test_support", types.ModuleType("_kept_by_test_support")).__dict__[str(id(obj))] = holder


# Waiting and children


def busy_retry(timeout, err_msg=None, /, *, error=True):
    """Gives its turn again and again till `timeout` seconds are over; then AssertionError, if `error`."""
    if timeout <= 0:
        raise ValueError("timeout must be greater than zero")
    start = time.monotonic()
    while True:
        yield
        elapsed = time.monotonic() - start
        if elapsed > timeout:
            break
    if error:
        raise AssertionError(f"timeout ({elapsed:.1f} seconds)" + (f": {err_msg}" if err_msg else ""))


def sleeping_retry(timeout, err_msg=None, /, *, init_delay=0.010, max_delay=1.0, error=True):
    """As `busy_retry`, with growing sleeps between."""
    delay = init_delay
    for _ in busy_retry(timeout, err_msg, error=error):
        yield
        time.sleep(delay)
        delay = min(delay * 2, max_delay)


class CPUStopwatch:
    """CPU seconds spent inside, or wall seconds where the CPU clock is coarse."""

    def __enter__(self):
        get_time, info = time.process_time, time.get_clock_info("process_time")
        if not 0 < info.resolution <= 0.1:
            get_time, info = time.monotonic, time.get_clock_info("monotonic")
        self.clock_info, self._get_time = info, get_time
        self._start = get_time()
        return self

    def __exit__(self, *exc_info):
        self.seconds = self._get_time() - self._start


def reap_children():
    """Children that have ended are waited for."""
    if not hasattr(os, "waitpid"):
        return
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except OSError:
            break
        if pid == 0:
            break


def wait_process(pid, *, exitcode, timeout=None):
    """Waits for the child and checks how it ended."""
    for _ in sleeping_retry(timeout or LONG_TIMEOUT, error=False):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            break
    else:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        raise AssertionError(f"process {pid} is still running")
    code = os.waitstatus_to_exitcode(status)
    if code != exitcode:
        raise AssertionError(f"process {pid} exited with code {code}, but exit code {exitcode!r} is expected")


def skip_if_broken_multiprocessing_synchronize():
    try:
        import _multiprocessing
        import multiprocessing.synchronize

        multiprocessing.synchronize.Lock(ctx=None)
    except (ImportError, OSError) as error:
        raise unittest.SkipTest(f"no locks between processes: {error!r}") from None


def args_from_interpreter_flags():
    import subprocess

    return subprocess._args_from_interpreter_flags()


def optim_args_from_interpreter_flags():
    import subprocess

    return subprocess._optim_args_from_interpreter_flags()


def run_in_subinterp(code):
    try:
        import _testcapi
    except ImportError:
        raise unittest.SkipTest("requires _testcapi") from None
    return _testcapi.run_in_subinterp(code)


def run_in_subinterp_with_config(code, *, own_gil=None, **config):
    try:
        import _testinternalcapi
    except ImportError:
        raise unittest.SkipTest("requires _testinternalcapi") from None
    if own_gil is not None:
        config.setdefault("gil", "own" if own_gil else "shared")
    return _testinternalcapi.run_in_subinterp_with_config(code, types.SimpleNamespace(**config))


def maybe_get_event_loop_policy():
    """The event loop policy, if one was made."""
    import asyncio.events

    return asyncio.events._event_loop_policy


def get_pagesize():
    return os.sysconf("SC_PAGESIZE")


# Checks of whole modules and types


def detect_api_mismatch(ref_api, other_api, *, ignore=()):
    """The public names that `ref_api` has and `other_api` lacks."""
    missing = set(dir(ref_api)) - set(dir(other_api)) - set(ignore)
    return {name for name in missing if not name.startswith("_") or name.endswith("__")}


def check__all__(test_case, module, name_of_module=None, extra=(), not_exported=()):
    """Checks that `__all__` has the public names that the module defines, and no others."""
    if name_of_module is None:
        name_of_module = (module.__name__,)
    elif isinstance(name_of_module, str):
        name_of_module = (name_of_module,)
    expected = set(extra)
    for name in dir(module):
        if name.startswith("_") or name in not_exported:
            continue
        obj = getattr(module, name)
        if getattr(obj, "__module__", None) in name_of_module or (
            not hasattr(obj, "__module__") and not isinstance(obj, types.ModuleType)
        ):
            expected.add(name)
    test_case.assertCountEqual(module.__all__, expected)


def check_disallow_instantiation(testcase, tp, *args, **kwds):
    """Checks that calling the type raises TypeError in the usual words."""
    import re

    name = tp.__name__ if tp.__module__ == "builtins" else f"{tp.__module__}.{tp.__name__}"
    testcase.assertRaisesRegex(TypeError, re.escape(f"cannot create {name!r} instances"), tp, *args, **kwds)


def check_free_after_iterating(test, iter, cls, args=()):
    """Checks that an iterator lets its iterable go when it is exhausted."""
    done = False

    def wrapper():
        nonlocal done

        class A(cls):
            def __del__(self):
                nonlocal done
                done = True
                try:
                    next(it)
                except StopIteration:
                    pass

        it = iter(A(*args))
        test.assertRaises(StopIteration, next, it)

    wrapper()
    gc_collect()
    test.assertTrue(done)


def iter_builtin_types():
    """The types that builtins and the interpreter itself have."""
    seen = set()
    for value in list(vars(sys.modules["builtins"]).values()) + list(vars(types).values()):
        if isinstance(value, type) and value not in seen and value.__module__ == "builtins":
            seen.add(value)
            yield value


def iter_slot_wrappers(cls):
    """(name, whether the class itself defines it) for each special method that is native."""
    wrapper = type(object.__init__)
    for name in sorted(set(dir(cls)) | set(vars(cls))):
        if isinstance(getattr(cls, name, None), wrapper) and name.startswith("__"):
            yield name, name in vars(cls)


def ignore_deprecations_from(module, *, like):
    token = object()
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=module, message=like)
    return token


def clear_ignored_deprecations(*tokens):
    pass


def missing_compiler_executable(cmd_names=[]):
    return None
