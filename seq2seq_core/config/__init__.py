"""``params.yaml``: one module per section, so that editing one stage's settings makes no other stage stale."""
