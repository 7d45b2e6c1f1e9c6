"""Settings of corpora whose sources are files."""
