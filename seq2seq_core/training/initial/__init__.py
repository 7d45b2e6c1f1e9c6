"""Initial weights: the bundle that a training begins with."""
