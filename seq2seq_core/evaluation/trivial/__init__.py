"""Trivial systems: hypotheses without a model, which a model must beat."""
