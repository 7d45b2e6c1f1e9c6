"""Recorders: what a stage tells MLflow and the local log."""
