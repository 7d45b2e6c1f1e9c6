"""Commands that train beside the pipeline, to answer a question."""
