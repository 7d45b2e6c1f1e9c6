"""Commands that show what a run did to the rows of a corpus, and the report of a run."""
