"""Sequence-to-sequence models: data checks, tokenisation, training, decoding, evaluation, registration, serving."""

__version__ = "0.1.0"
