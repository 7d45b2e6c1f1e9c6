"""The training state: checkpoints, curves, progress, early stopping."""
