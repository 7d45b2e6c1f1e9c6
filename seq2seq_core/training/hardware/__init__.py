"""The machine: device and precision, compilation, speed, profile."""
