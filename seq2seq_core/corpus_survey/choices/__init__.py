"""The choice of task, units, model, training and scores for a corpus."""
