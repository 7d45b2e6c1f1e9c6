"""Training data: the tokenised corpus, divided into updates and batches."""
