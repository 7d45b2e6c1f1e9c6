"""The corpora that the project makes itself, the same bytes on every machine."""
