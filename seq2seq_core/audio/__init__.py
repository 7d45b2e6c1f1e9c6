"""Recordings to feature frames: WAV and FLAC files, log-mel energies, normalisation, stacking."""
