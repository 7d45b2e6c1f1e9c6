"""The registered model behind MLflow's scoring server."""
