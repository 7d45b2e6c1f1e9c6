"""Workspaces of the installed package: made by ``s2s init``, brought to another version by ``s2s upgrade``."""
