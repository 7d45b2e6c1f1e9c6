"""What answers to the rows of a test set that is evaluated or compared."""
