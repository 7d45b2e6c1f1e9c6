"""The stages of the graph as Prefect tasks."""
