"""A second model that judges what a model writes while it learns."""
