"""Processes that end with their driver, and the workspace's lock."""
