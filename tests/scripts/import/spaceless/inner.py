VALUE = "found without __init__"
