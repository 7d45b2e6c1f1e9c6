"""Pictures and pages of an evaluation: plots, attention over pictures, the worst examples with their pictures."""
