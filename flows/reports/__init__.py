"""Reports of a run: summary, Prefect page, webhook, parent run in MLflow."""
