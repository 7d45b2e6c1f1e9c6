"""Search over settings: trainings with different values, each judged on dev, until the number that was asked for has ended."""
