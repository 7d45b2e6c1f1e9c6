"""Settings that name models: the judge of a phase, and all of them by one mechanism."""
