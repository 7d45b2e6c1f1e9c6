"""Runs: of the graph, of a stage, of a sweep; their parameters and lineage."""
