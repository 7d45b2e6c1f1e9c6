"""Pages of docs/ that are generated from the program: its commands and its metrics."""
