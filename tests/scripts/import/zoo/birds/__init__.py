print("zoo/birds/__init__")
from . import parrot
