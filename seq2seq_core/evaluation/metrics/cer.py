"""Character error rate: edits divided by the code points of all references."""

from __future__ import annotations

from seq2seq_core.evaluation.error_rate import error_rate_metric

METRIC = error_rate_metric("cer", str, usual_deviation=0.15)
