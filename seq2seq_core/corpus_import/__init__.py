"""Corpora of other places as folders of ``data/raw``: OPUS, Hugging Face datasets, lists of URLs."""
