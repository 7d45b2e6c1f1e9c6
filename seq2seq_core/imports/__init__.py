"""How libraries are imported."""
