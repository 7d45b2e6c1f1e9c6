"""Texts of train that stand in dev or test, exactly, nearly or similarly."""
