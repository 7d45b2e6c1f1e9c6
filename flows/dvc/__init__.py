"""DVC as a command: the graph's data before and after a run."""
