"""The Prefect server: embedded or configured, its pages and set-up."""
