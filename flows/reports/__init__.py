"""What a run tells: summary, page, webhook, the parent run in MLflow."""
