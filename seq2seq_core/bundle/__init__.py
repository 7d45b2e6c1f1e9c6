"""The model bundle: one self-describing folder, no pickle."""
