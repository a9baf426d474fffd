"""What tests use of hypothesis: the explicit examples run, no others are made."""

import functools
import types
import unittest

_examples = "_examples_given"


def given(*args, **kwargs):
    def decorator(test):
        @functools.wraps(test)
        def wrapper(self, *more):
            for example_args, example_kwargs in reversed(getattr(wrapper, _examples, getattr(test, _examples, []))):
                with self.subTest(args=example_args, kwargs=example_kwargs):
                    test(self, *more, *example_args, **example_kwargs)

        del wrapper.__wrapped__
        return wrapper

    return decorator


def example(*args, **kwargs):
    def decorator(test):
        setattr(test, _examples, getattr(test, _examples, []) + [(args, kwargs)])
        return test

    return decorator


def assume(condition):
    if not condition:
        raise unittest.SkipTest("Unsatisfied assumption")
    return True


class _Strategy:
    """Stands for any strategy: nothing is drawn from it."""

    def __call__(self, *args, **kwargs):
        return self

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __or__(self, other):
        return self


strategies = _Strategy()
hypothesis = types.SimpleNamespace(given=given, example=example, assume=assume, strategies=strategies, settings=_Strategy())
