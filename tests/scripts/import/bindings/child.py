import bindings
NAME = __name__
print("child sees its name in the parent:", hasattr(bindings, "child"))
