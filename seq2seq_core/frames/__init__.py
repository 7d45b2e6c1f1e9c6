"""Files that sources name, recordings or pictures, as the frames that a model reads."""
