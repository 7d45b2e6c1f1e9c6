"""The reference of all metrics as Markdown, generated from the files of ``seq2seq_core/evaluation/metrics/``.

``python -m seq2seq_core.cli.reference.metrics_page > docs/metrics.md`` writes the page.
"""

from __future__ import annotations

import importlib
import inspect
import sys

from seq2seq_core.config.metric_names import list_metrics
from seq2seq_core.config.settings_page import markdown_table
from seq2seq_core.evaluation.metric import Metric
from seq2seq_core.evaluation.scores import find_metric

INTRODUCTION = """# Metrics

A metric scores the outputs of a model against the references of dev or test. `evaluate.metrics` chooses those of test,
`train.dev_metric` the one that picks the best weights, and `register.metric` the one that
[decides which version serves](gate.md). A reward of [training from rewards](reinforcement.md) is a metric, too.
"""
NOTES = """A test set may have several references for a question: a row for each, equal but for the target, as with captions
and dialogue. `evaluate.references: together` makes one row of them. Then an answer is right if it equals one of them;
an error rate is of the reference with the fewest edits; ROUGE is the best of them; sacreBLEU's metrics and CIDEr-D count
all of them, each by its own rules. The confidence, the gate and the model card follow. Training's own scores of dev are
of each row.

A *slow* metric is left out of validations, rewards, slices and baselines. A single sentence is scored where rows are
ranked (worst examples) and for rewards; of BLEU that score is smoothed.

Where words are spelt by symbols (pronunciation), reports show two more rates under the names that the literature uses:
`word_error_rate`, which is 1 minus `exact_match`, and `symbol_error_rate`, which is `wer`. The [baselines](gate.md#baselines)
that a model is compared with need no training.

[Extending](extending.md#a-metric) shows how to add one: it is one file.

The page is generated from `seq2seq_core/evaluation/metrics/`. To change it, edit the docstrings there and run
`make reference`.
"""


def describe_metrics() -> str:
    """The reference of all metrics."""
    metrics = [find_metric(name) for name in list_metrics()]
    rows = [
        (f"[`{metric.name}`](#{metric.name.lower()})", _direction(metric), _range(metric), metric.needs or "–")
        for metric in metrics
    ]
    parts = [INTRODUCTION, markdown_table("metric, better is, range, needs the package", rows), NOTES]
    for metric in metrics:
        module = importlib.import_module(f"seq2seq_core.evaluation.metrics.{metric.name}")
        meaning = inspect.cleandoc(module.__doc__ or "")
        parts.append(f"## {metric.name}\n\n{meaning}" + ("\n\nIt is slow." if metric.is_slow else ""))
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _direction(metric: Metric) -> str:
    return "higher" if metric.higher_is_better else "lower"


def _range(metric: Metric) -> str:
    return f"{metric.low:g} and above" if metric.high is None else f"{metric.low:g} to {metric.high:g}"


if __name__ == "__main__":
    sys.stdout.write(describe_metrics())
