"""Stands in for `_testcapi` where there is none: what its functions do, done through the interpreter's own ways.

Only functions that ask the interpreter to do something are here; what looks into CPython's structures is missing, and tests of it fail.
"""

import sys

INT_MAX, INT_MIN = 2**31 - 1, -(2**31)
UINT_MAX = 2**32 - 1
LONG_MAX, LONG_MIN = sys.maxsize, -sys.maxsize - 1
ULONG_MAX = 2 * sys.maxsize + 1
LLONG_MAX, LLONG_MIN, ULLONG_MAX = LONG_MAX, LONG_MIN, ULONG_MAX
SHRT_MAX, SHRT_MIN, USHRT_MAX = 2**15 - 1, -(2**15), 2**16 - 1
CHAR_MAX, CHAR_MIN, UCHAR_MAX = 127, -128, 255
PY_SSIZE_T_MAX, PY_SSIZE_T_MIN = sys.maxsize, -sys.maxsize - 1
SIZE_MAX = 2 * sys.maxsize + 1
Py_C_RECURSION_LIMIT = 10000
DBL_MAX, DBL_MIN = sys.float_info.max, sys.float_info.min


def exception_print(value, legacy=0, /):
    """Shows an exception as the interpreter does when nobody catches it."""
    if not isinstance(value, BaseException):
        raise TypeError(f"print_exception(): Exception expected for value, {type(value).__name__} found")
    sys.__excepthook__(type(value), value, value.__traceback__)


def traceback_print(tb, file, /):
    """Writes a traceback to a file."""
    import traceback

    traceback.print_tb(tb, file=file)


def raise_exception(kind, count, /):
    """Raises an exception with so many arguments."""
    raise kind(*range(count))


def make_exception_with_doc(name, doc=None, base=Exception, dict=None):
    """A new class of exceptions."""
    module, _, tail = name.rpartition(".")
    if not module:
        raise SystemError("PyErr_NewException: name must be module.class")
    bases = base if isinstance(base, tuple) else (base,)
    namespace = {"__module__": module, **(dict or {})}
    if doc is not None:
        namespace["__doc__"] = doc
    return type(tail, bases, namespace)


def pyobject_fastcalldict(function, args, kwargs, /):
    """Calls with a tuple or None, and a dictionary or None."""
    return function(*(args or ()), **(kwargs or {}))


def pyobject_vectorcall(function, args, names, /):
    """Calls with a tuple whose last items are the values of the names."""
    args = args or ()
    if names is not None and not isinstance(names, tuple):
        raise TypeError("kwnames must be None or a tuple")
    count = len(names or ())
    if count > len(args):
        raise ValueError("kwnames longer than args")
    split = len(args) - count
    return function(*args[:split], **dict(zip(names or (), args[split:])))


def pyvectorcall_call(function, args, kwargs=None, /):
    """Calls with a tuple and a dictionary."""
    return function(*args, **(kwargs or {}))


def pycfunction_call(function, args, kwargs=None, /):
    """Calls a built-in function."""
    return function(*args, **(kwargs or {}))


def with_tp_del(cls, /):
    """A class whose instances have `__tp_del__` called when they die, as they have `__del__`."""
    cls.__del__ = lambda self: self.__tp_del__()
    return cls


def meth_varargs(*args):
    return _module(), args


def meth_varargs_keywords(*args, **kwargs):
    return _module(), args, kwargs


def meth_o(argument, /):
    return _module(), argument


def meth_noargs():
    return _module()


def _module():
    return sys.modules["_testcapi"]


meth_fastcall, meth_fastcall_keywords = meth_varargs, meth_varargs_keywords


class MethInstance:
    """Methods that give back what they were called with."""

    def meth_varargs(self, *args):
        return self, args

    def meth_varargs_keywords(self, *args, **kwargs):
        return self, args, kwargs

    def meth_o(self, argument, /):
        return self, argument

    def meth_noargs(self):
        return self

    meth_fastcall, meth_fastcall_keywords = meth_varargs, meth_varargs_keywords


class MethClass:
    """The same as methods of the class."""

    @classmethod
    def meth_varargs(cls, *args):
        return cls, args

    @classmethod
    def meth_varargs_keywords(cls, *args, **kwargs):
        return cls, args, kwargs

    @classmethod
    def meth_o(cls, argument, /):
        return cls, argument

    @classmethod
    def meth_noargs(cls):
        return cls

    meth_fastcall, meth_fastcall_keywords = meth_varargs, meth_varargs_keywords


class MethStatic:
    """The same as functions of the class; there is no receiver."""

    @staticmethod
    def meth_varargs(*args):
        return None, args

    @staticmethod
    def meth_varargs_keywords(*args, **kwargs):
        return None, args, kwargs

    @staticmethod
    def meth_o(argument, /):
        return None, argument

    @staticmethod
    def meth_noargs():
        return None

    meth_fastcall, meth_fastcall_keywords = meth_varargs, meth_varargs_keywords


class RecursingInfinitelyError(Exception):
    """Making one fails by making another."""

    def __new__(cls, *args):
        return cls.__new__(cls, *args)
