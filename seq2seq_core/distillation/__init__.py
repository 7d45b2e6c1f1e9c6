"""Sequence-level distillation: a teacher's outputs for the sources of train become pairs of train."""
