"""Updates of the weights: gradients, optimisers, learning rates, averages."""
