"""Profiles of the corpora of registered versions, and the drift between them."""
