"""Work by the part on a Dask cluster whose workers reach the workspace."""
