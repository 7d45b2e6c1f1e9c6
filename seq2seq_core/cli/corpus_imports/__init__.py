"""The commands ``s2s import ...``."""
