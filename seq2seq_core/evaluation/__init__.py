"""Metrics, baselines, slices and the evaluator."""
