"""A look at a corpus folder: its files, layout and texts, and the task and settings that fit them."""
