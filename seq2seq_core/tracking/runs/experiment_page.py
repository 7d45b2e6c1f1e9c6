"""The experiment's page in MLflow: what it opens with, and a view of the pipeline's runs with scores and settings side by side."""

from __future__ import annotations

import json

from seq2seq_core.tracking.mlflow.address import MODEL_TRAINING

KIND_TAG, NOTE_TAG = "mlflow.experimentKind", "mlflow.note.content"
VIEW_KEY = "pipeline"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW_KEY}"
SHOWN_METRICS = ("test_exact_match", "test_bleu", "test_chrf", "test_cer")
SHOWN_PARAMETERS = (
    "model.architecture", "model.width", "train.max_steps", "train.batch_tokens", "train.learning_rate", "train.seed",
)  # fmt: skip
_NOTE = (
    "Each row is one run of the pipeline; the stages' runs are nested in it. The test scores stand on the pipeline's run, the "
    "curves on its stage `train`, plots and the worst examples on `evaluate`. The tag `bundle_digest` names the model."
)


def page_tags() -> dict[str, str]:
    """The tags that an experiment needs for its page, by name.

    For this kind of experiment MLflow's page opens with runs and curves, not with traces of language model calls. The view holds
    the columns that the table of runs shows; without it, MLflow shows neither a score nor a setting.
    """
    columns = ["attributes.`Duration`"]
    columns += [f"metrics.`{name}`" for name in SHOWN_METRICS] + [f"params.`{name}`" for name in SHOWN_PARAMETERS]
    return {KIND_TAG: "custom_model_development", VIEW_TAG: json.dumps({"selectedColumns": columns})}


def page_note(experiment: str) -> str:
    """The description of a new experiment, in Markdown.

    Args:
        experiment: its id.
    """
    return f"[Runs with their scores and settings]({runs_page(experiment)}). {_NOTE}"


def runs_page(experiment: str) -> str:
    """The address of the experiment's runs in that view, from the root of MLflow's pages.

    Args:
        experiment: its id.
    """
    return f"#/experiments/{experiment}/runs?viewStateShareKey={VIEW_KEY}&{MODEL_TRAINING}"
