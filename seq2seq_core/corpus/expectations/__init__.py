"""Great Expectations on the rows in DuckDB. Only this room imports the library."""
