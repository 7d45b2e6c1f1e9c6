"""What training reads: the tokenised corpus, divided into updates and batches."""
