"""Child processes that end with their parent, and the workspace's lock."""
