"""Shapes, for the import tests."""
print("shapes is being imported")
PI = 3


def area(r):
    return PI * r * r


def perimeter(r):
    return 2 * PI * r


_private = 1
