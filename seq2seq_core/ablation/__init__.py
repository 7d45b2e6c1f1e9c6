"""Does a rule of preparation help? Small models trained with it and without it, compared on the same dev pairs."""
