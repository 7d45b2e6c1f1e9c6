"""MLflow: the recorder, the store, and the queue of unsent records."""
