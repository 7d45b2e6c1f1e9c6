"""Confidence: its calibrator, fitted on dev, and how far it can be trusted on test."""
