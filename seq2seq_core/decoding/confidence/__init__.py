"""The confidence of an answer: the probability that it is right, calibrated on dev."""
