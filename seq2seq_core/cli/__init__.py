"""The command ``s2s``: parse, load the settings, call one function, print."""
