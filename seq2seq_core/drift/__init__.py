"""Drift: the profile of a corpus, and whether another corpus, or the requests of users, differ from it by more than chance."""
