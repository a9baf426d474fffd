print("zoo/birds/parrot")
from .. import KEEPER


def speak():
    return f"hello {KEEPER}"
