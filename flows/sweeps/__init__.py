"""The trials of a sweep as Prefect tasks."""
