"""What a run will cost, measured on a sample: the graph end to end in a throw-away workspace, and real updates of the model."""
