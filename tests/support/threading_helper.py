"""Threads in tests: started, joined, none left behind."""

import _thread
import contextlib
import functools
import sys
import threading
import time
import unittest

from . import SHORT_TIMEOUT, gc_collect

can_start_thread = True


def requires_working_threading(*, module=False):
    if module:
        return None
    return lambda item: item


def threading_setup():
    return (_thread._count(), len(getattr(threading, "_dangling", ())))


def threading_cleanup(*original):
    """Waits a little for the threads that a test has left."""
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        if (_thread._count(), len(getattr(threading, "_dangling", ()))) <= tuple(original):
            return
        gc_collect()
        time.sleep(0.01)


def reap_threads(func):
    """The decorated test waits for its threads to end."""

    @functools.wraps(func)
    def wrapper(*args):
        key = threading_setup()
        try:
            return func(*args)
        finally:
            threading_cleanup(*key)

    return wrapper


@contextlib.contextmanager
def wait_threads_exit(timeout=None):
    """At the end there must be no more threads than at the beginning."""
    if timeout is None:
        timeout = SHORT_TIMEOUT
    before = _thread._count()
    try:
        yield
    finally:
        start = time.monotonic()
        while _thread._count() > before:
            if time.monotonic() - start > timeout:
                raise AssertionError(
                    f"wait_threads_exit() failed to clean up {_thread._count() - before} threads after {timeout} seconds"
                )
            time.sleep(0.01)
            gc_collect()


def join_thread(thread, timeout=None):
    if timeout is None:
        timeout = SHORT_TIMEOUT
    thread.join(timeout)
    if thread.is_alive():
        raise AssertionError(f"failed to join the thread in {timeout:.1f} seconds")


@contextlib.contextmanager
def start_threads(threads, unlock=None):
    """Starts them all; at the end `unlock` is called and all are joined."""
    threads = list(threads)
    started = []
    try:
        try:
            for thread in threads:
                thread.start()
                started.append(thread)
        except BaseException:
            if not started:
                raise
            raise
        yield
    finally:
        if unlock:
            unlock()
        deadline = time.monotonic() + 60
        for thread in started:
            thread.join(max(deadline - time.monotonic(), 0.01))
        alive = [thread for thread in started if thread.is_alive()]
        if alive:
            raise AssertionError("Unable to join %d threads" % len(alive))


class catch_threading_exception:
    """Inside, what ends a thread is kept in `exc_type`, `exc_value`, `exc_traceback` and `thread`."""

    exc_type = exc_value = exc_traceback = thread = None

    def _hook(self, args):
        self.exc_type, self.exc_value = args.exc_type, args.exc_value
        self.exc_traceback, self.thread = args.exc_traceback, args.thread

    def __enter__(self):
        self._before = threading.excepthook
        threading.excepthook = self._hook
        return self

    def __exit__(self, *exc_info):
        threading.excepthook = self._before
        self.exc_type = self.exc_value = self.exc_traceback = self.thread = None


def run_concurrently(worker_func, nthreads=4, args=(), kwargs={}):
    """Runs the function in so many threads at once; the first exception is raised here."""
    errors = []
    barrier = threading.Barrier(nthreads)

    def run():
        try:
            barrier.wait()
            worker_func(*args, **kwargs)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(nthreads)]
    with start_threads(threads):
        pass
    if errors:
        raise errors[0]
