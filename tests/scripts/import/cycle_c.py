from cycle_d import y
x = 1
