"""Subword models and special tokens: text to ids and back."""
