"""ROUGE (Lin 2004) of word bigrams, from 0 to 100."""

from __future__ import annotations

from seq2seq_core.evaluation.rouge import rouge_metric

METRIC = rouge_metric("rouge2")
