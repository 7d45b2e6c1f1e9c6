"""Commands that say what is, what would run, why, and what is wrong; they execute nothing."""
