parent_saw = "child" in globals()
