import cycle_a
print("b sees a:", hasattr(cycle_a, "value"))
value = "b"
