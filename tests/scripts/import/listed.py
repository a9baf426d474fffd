__all__ = ["visible", "_listed_private"]
visible = 1
hidden = 2
_listed_private = 3
