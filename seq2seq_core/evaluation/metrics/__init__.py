"""The metrics, a file each: the file's name is the metric's, and it defines one object, ``METRIC``."""
