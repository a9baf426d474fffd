def helper():
    return [][0]


VALUE = helper()
