"""Kinds of attention of a recurrent decoder, found by their file names: the values of ``model.attention``."""
