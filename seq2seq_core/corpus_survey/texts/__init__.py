"""Statistics of the texts, pairs and recordings of a corpus."""
