"""Prediction in bulk: tables of millions of rows in, shards with predictions out, resumable after any kill."""
