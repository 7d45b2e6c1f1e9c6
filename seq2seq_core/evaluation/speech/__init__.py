"""What an evaluation tells of synthesised speech."""
