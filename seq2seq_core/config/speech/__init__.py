"""Settings of targets that are recordings, and what does not fit them."""
