"""What an evaluation does with pictures that are sources."""
