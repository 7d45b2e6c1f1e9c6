"""The files of a corpus folder: names, formats, samples of their rows."""
