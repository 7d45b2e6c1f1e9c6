"""Preparation of the corpus: the funnel, samples of the rows that it drops or changes, pairs and sentences."""
