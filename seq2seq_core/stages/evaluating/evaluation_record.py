"""What a recorder, such as MLflow, gets of an evaluation: data set, metrics, tables and files."""

from __future__ import annotations

import re

from seq2seq_core.artifacts import Paths
from seq2seq_core.evaluation.confidence.confidence_check import ConfidenceCheck
from seq2seq_core.evaluation.evaluator import Evaluation
from seq2seq_core.evaluation.report import confidence_as_markdown, scores_as_markdown, slices_as_markdown, worst_as_markdown
from seq2seq_core.recorder import Recorder
from seq2seq_core.tokenization.manifest import file_digest

_METRIC_NAME = re.compile(r"[^\w ./-]+")


def record_evaluation(
    recorder: Recorder, evaluation: Evaluation, worst_examples: int, paths: Paths, confidence: ConfidenceCheck | None, note: str
) -> None:
    """Logs an evaluation whose files are written.

    Args:
        recorder: receives it.
        evaluation: the scores and examples.
        worst_examples: number of examples in the table of the worst.
        paths: the workspace, with ``reports/metrics.json`` and ``reports/evaluation``.
        confidence: the confidences on test; None: the bundle has no calibrator.
        note: what the scores must be read with; may be empty.
    """
    test = paths.prepared_split("test")
    recorder.log_dataset(test, "prepared/test", file_digest(test), "testing")
    recorder.log_metrics(
        {
            **{f"test_{name}": value for name, value in evaluation.test.items()},
            **{f"greedy_{name}": value for name, value in evaluation.greedy.items()},
            **{
                f"baseline_{baseline}_{name}": value
                for baseline, scores in evaluation.baselines.items()
                for name, value in scores.items()
            },
            **{f"{name}_sentences_per_second": value for name, value in evaluation.sentences_per_second.items()},
        }
    )
    recorder.log_metrics(
        {
            _METRIC_NAME.sub("_", f"slice_{name}/{part.column}/{part.value}"): value
            for part in evaluation.slices
            for name, value in part.scores.items()
        }
    )
    if confidence is not None:
        recorder.log_metrics({"calibration_error": confidence.error.value})
        recorder.log_text(confidence_as_markdown(confidence), "evaluation/confidence.md")
    recorder.log_text(scores_as_markdown(evaluation) + (f"\n{note}.\n" if note else ""), "evaluation/scores.md")
    recorder.log_text(slices_as_markdown(evaluation), "evaluation/slices.md")
    recorder.log_text(worst_as_markdown(evaluation, worst_examples), "evaluation/worst.md")
    for path in (*sorted(paths.evaluation.iterdir()), paths.metrics):
        recorder.log_file(path, "evaluation")
