"""The state of a workspace on one screen: freshness, champion, last run, schedule, and what is wrong."""
