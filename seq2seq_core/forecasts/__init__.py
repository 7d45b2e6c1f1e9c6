"""What a run will cost: kept forecasts, what came of them, and what later forecasts learn from it."""
