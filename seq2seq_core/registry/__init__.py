"""Registration of bundles in the MLflow registry, and promotion to champion."""
