print("zoo/cat")
NAME = "Tom"
