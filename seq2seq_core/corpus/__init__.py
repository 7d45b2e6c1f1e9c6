"""Reading, checking, cleaning and splitting parallel corpora."""
