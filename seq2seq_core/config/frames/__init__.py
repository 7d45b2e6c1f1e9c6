"""Settings of sources that are files: recordings and pictures."""
