"""The model card of a version: what it is for, what it was made from, how good it is, and where it fails."""
