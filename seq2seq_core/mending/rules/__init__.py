"""Rules that mend texts: a file a rule, each with one object ``RULE``, named as ``prepare.mend`` lists it."""
