"""The metrics, one file each. The file is named like the metric and defines one object, ``METRIC``."""
