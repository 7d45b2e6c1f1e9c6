"""Commands that set a workspace up for a team."""
