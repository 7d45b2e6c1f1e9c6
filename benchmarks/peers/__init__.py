"""Training by this repository and by other toolkits on the same data, each in its own process and environment."""
