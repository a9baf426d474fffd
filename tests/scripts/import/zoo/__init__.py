print("zoo/__init__")
__all__ = ["cat", "KEEPER"]
KEEPER = "Sam"
