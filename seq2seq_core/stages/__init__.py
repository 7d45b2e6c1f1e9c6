"""The stages: each reads declared inputs and writes declared outputs."""
