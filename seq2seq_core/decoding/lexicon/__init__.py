"""A lexicon in front of a model: sources that train has, with their commonest targets."""
