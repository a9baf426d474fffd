import cycle_f
x = 1
