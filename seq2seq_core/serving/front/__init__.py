"""The HTTP side of the server: bounds, checks and answers around MLflow's own scoring app."""
