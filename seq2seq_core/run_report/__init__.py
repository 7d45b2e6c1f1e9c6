"""The report of a run: everything that happened to data and model, on one page that needs nothing else."""
