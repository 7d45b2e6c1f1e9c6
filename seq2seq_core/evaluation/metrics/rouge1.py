"""ROUGE (Lin 2004) of single words, from 0 to 100."""

from __future__ import annotations

from seq2seq_core.evaluation.rouge import rouge_metric

METRIC = rouge_metric("rouge1")
