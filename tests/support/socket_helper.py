"""Sockets in tests."""

import contextlib
import os
import tempfile
import unittest

HOST = "localhost"
HOSTv4 = "127.0.0.1"
HOSTv6 = "::1"


def _has_ipv6():
    try:
        import socket

        if not socket.has_ipv6:
            return False
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
            sock.bind((HOSTv6, 0))
        return True
    except (ImportError, OSError):
        return False


IPV6_ENABLED = _has_ipv6()


def find_unused_port(family=None, socktype=None):
    import socket

    with socket.socket(family or socket.AF_INET, socktype or socket.SOCK_STREAM) as sock:
        return bind_port(sock)


def bind_port(sock, host=HOST):
    sock.bind((host, 0))
    return sock.getsockname()[1]


def bind_unix_socket(sock, addr):
    try:
        sock.bind(addr)
    except PermissionError:
        sock.close()
        raise unittest.SkipTest("cannot bind AF_UNIX sockets") from None


def create_unix_domain_name():
    return tempfile.mktemp(prefix="test_python_", suffix=".sock", dir=os.path.curdir)


def skip_unless_bind_unix_socket(test):
    try:
        import socket
    except ImportError:
        return unittest.skip("No UNIX Sockets")(test)
    return unittest.skipUnless(hasattr(socket, "AF_UNIX"), "No UNIX Sockets")(test)


def skip_if_tcp_blackhole(test):
    return test


@contextlib.contextmanager
def transient_internet(resource_name, *, timeout=30.0, errnos=()):
    raise unittest.SkipTest("the network is not used")
    yield
