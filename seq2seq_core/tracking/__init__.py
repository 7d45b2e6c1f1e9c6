"""Recorders: logging of a stage's run to MLflow or to a local file."""
