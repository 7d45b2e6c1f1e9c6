"""Noisy copies of train pairs: kinds of noise, and the copies that are added to train."""
