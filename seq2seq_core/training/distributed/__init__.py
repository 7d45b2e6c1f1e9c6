"""Training by several processes: ranks, gradients summed over them, the launcher."""
