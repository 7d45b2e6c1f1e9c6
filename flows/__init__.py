"""Prefect flows over the DVC graph: order, retries, schedules and artifacts; no logic of the stages."""
