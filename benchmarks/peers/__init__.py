"""Training by this repository and by other toolkits on the same data, each in a process and an environment of its own."""
