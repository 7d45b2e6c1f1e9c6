"""Inputs of the encoder that are made of frames: convolutions, and positions in a grid."""
