"""The lines of ``s2s predict`` and ``s2s score``: answered in chunks, written as hypotheses."""
