"""Word error rate: edits of white-space-separated symbols (words, phones), divided by the symbols of all references.

It is the rate of wrong symbols. Where a target is one word spelt by symbols, as in pronunciation, the literature calls this the
phone error rate, and 1 minus exact match the word error rate; reports then show both under those names.
"""

from __future__ import annotations

from seq2seq_core.evaluation.error_rate import error_rate_metric

METRIC = error_rate_metric("wer", str.split, usual_deviation=0.25)
