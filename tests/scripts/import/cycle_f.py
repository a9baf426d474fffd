import cycle_e
cycle_e.x
