"""Drops train pairs that two models of one's own doubt: dual conditional cross-entropy (Junczys-Dowmunt 2018)."""
