"""Speech from texts: the loop over frames, and predictors that answer with sound or with what a recogniser hears in it."""
