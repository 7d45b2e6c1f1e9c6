"""Greedy decoding, beam search and sampling, and the predictor: text in, text out."""
