"""Schedules of the learning rate, found by their file names: the values of ``train.schedule``."""
