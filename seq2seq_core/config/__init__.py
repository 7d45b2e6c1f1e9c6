"""``params.yaml``: one module a section, so that editing one stage's settings makes no other stage stale."""
