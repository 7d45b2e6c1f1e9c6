"""MLflow runs of the graph, of stages and of sweeps, with parameters and lineage."""
