real = 1


def __getattr__(name):
    if name in ("refused", "__path__"):
        raise AttributeError(f"no {name} here")
    return f"made {name}"


def __dir__():
    return ["real", "anything"]
