"""Recordings that are targets: any sound file to samples, samples to frames, frames to sound, and how far two recordings differ."""
