from cycle_c import x
y = 2
