"""Memory-mapped datasets, token-budget batches and collation."""
