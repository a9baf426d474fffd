"""Digests that there may not be."""

import functools
import unittest


def requires_hashdigest(digestname, openssl=None, usedforsecurity=True):
    """The decorated test or class is skipped without the digest."""

    def is_there():
        try:
            import hashlib

            if openssl:
                import _hashlib

                _hashlib.new(digestname, usedforsecurity=usedforsecurity)
            else:
                hashlib.new(digestname, usedforsecurity=usedforsecurity)
        except (ImportError, ValueError):
            return False
        return True

    def decorator(item):
        if isinstance(item, type):
            return item if is_there() else unittest.skip(f"hash digest {digestname} is not available.")(item)

        @functools.wraps(item)
        def wrapper(*args, **kwargs):
            if not is_there():
                raise unittest.SkipTest(f"hash digest {digestname} is not available.")
            return item(*args, **kwargs)

        return wrapper

    return decorator
