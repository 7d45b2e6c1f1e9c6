"""The Prefect server: embedded or configured; its pages and its setup."""
