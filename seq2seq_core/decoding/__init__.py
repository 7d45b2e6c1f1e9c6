"""Greedy and beam search, and the predictor: text in, text out."""
