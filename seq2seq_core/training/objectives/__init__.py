"""Objectives: the losses that a phase of training can minimise."""
