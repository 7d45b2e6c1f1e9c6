"""Recordings to feature frames: WAV files, log-mel energies, normalisation, stacking. Needs NumPy and nothing else."""
