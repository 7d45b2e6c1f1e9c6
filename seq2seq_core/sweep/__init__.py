"""Search over settings: trials train with different values and are ranked by their dev metric, up to a given number of trials."""
