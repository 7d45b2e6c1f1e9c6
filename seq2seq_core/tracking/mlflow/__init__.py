"""MLflow: the recorder, the store, and what waits to be sent."""
