"""The rows of a corpus in DuckDB: loading, the verdicts of the contracts, the views that contracts are checked on."""
