"""Attention of a recurrent decoder over the memory."""
