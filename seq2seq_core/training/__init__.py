"""Objectives, optimiser, schedules, checkpoints and the trainer."""
