"""Sizes of model and training for a task and a number of pairs."""

from __future__ import annotations

import math
from typing import Any

from seq2seq_core.corpus_survey.choices.picture_choice import LINE_CHANGES, PICTURE_CHANGES, choose_reader
from seq2seq_core.corpus_survey.choices.speech_choice import choose_speaker, choose_speech_training
from seq2seq_core.corpus_survey.choices.task_choice import Task
from seq2seq_core.corpus_survey.choices.unit_choice import CHARACTER_TASKS, round_up

EPOCHS_BY_ROWS = ((10_000, 80), (50_000, 40), (200_000, 20), (1_000_000, 10), (10_000_000, 4))
"""Passes over train for up to so many pairs; early stopping may end before."""
FEWEST_STEPS, MOST_STEPS = 300, 200_000
SMALL_ROWS, LARGE_ROWS, HUGE_ROWS = 10_000, 300_000, 3_000_000
"""Numbers of pairs at which models become larger."""
FEW_PRONUNCIATIONS = 2_000
"""Up to so many words, pronunciation gets the model and the sizes of ``configs/g2p_small.yaml``: chosen between
800 French words, where it is far ahead, and 3,600, where it is not (docs/models.md, hard alignments)."""
FEW_WORDS_MODEL = {
    "architecture": "gru", "alignment": "monotonic", "width": 256, "encoder_layers": 1, "decoder_layers": 1, "dropout": 0.3,
}  # fmt: skip
FEW_WORDS_TRAINING = {
    "max_steps": 2_500, "batch_tokens": 2_048, "learning_rate": 0.002, "warmup_steps": 200, "schedule": "cosine",
    "validate_every_steps": 200, "patience": 6,
}  # fmt: skip


def choose_model(task: Task, num_rows: int, is_joint: bool) -> dict[str, Any]:
    """The section ``model``.

    Args:
        task: the task.
        num_rows: pairs of train.
        is_joint: whether both sides share a vocabulary.
    """
    tie = {"tie_embeddings": "all"} if is_joint else {}
    width = 128 if num_rows < 1_500 else 256
    if task == "speech":
        return {
            "architecture": "gru",
            "attention": "additive",
            "width": width,
            "encoder_layers": 2,
            "time_reduction": 1,
            "dropout": 0.3,
        }
    if task == "synthesis":
        return choose_speaker(num_rows)
    if task in ("lines", "captions"):
        return choose_reader(task == "lines", num_rows)
    if task == "parsing":
        layers = {"encoder_layers": 2, "decoder_layers": 2}
        return {"architecture": "lstm", "attention": "general", "width": width, **layers, "dropout": 0.3}
    if task == "summarisation":
        copying = {"coverage": True, "pointer_generator": True}
        return {"architecture": "lstm", "attention": "additive", "width": width, **copying, "dropout": 0.2, **tie}
    if task == "pronunciation" and num_rows <= FEW_PRONUNCIATIONS:
        return dict(FEW_WORDS_MODEL)
    if task == "inflection":
        return _transformer(128 if num_rows < 3_000 else 256, 0.3, tie)
    if task in CHARACTER_TASKS and num_rows < LARGE_ROWS:
        return {"architecture": "gru", "attention": "additive", "width": width, "encoder_layers": 2, "dropout": 0.3, **tie}
    if num_rows < SMALL_ROWS or (num_rows < LARGE_ROWS and not is_joint):
        return {
            "architecture": "gru",
            "attention": "general",
            "width": width if num_rows < SMALL_ROWS else 320,
            "dropout": 0.3,
            **tie,
        }
    if num_rows < 100_000:
        return _transformer(128, 0.25, tie)
    return _transformer(512 if num_rows >= HUGE_ROWS else 256, 0.1 if num_rows >= LARGE_ROWS else 0.2, tie)


def _transformer(width: int, dropout: float, tie: dict[str, Any]) -> dict[str, Any]:
    layers = {"encoder_layers": 4, "decoder_layers": 4} if width < 512 else {"encoder_layers": 6, "decoder_layers": 6}
    sizes = {"heads": width // 32 if width < 512 else 8, "feedforward_width": 2 * width if width < 256 else 4 * width}
    return {"architecture": "transformer", "width": width, **layers, **sizes, "dropout": dropout, **tie}


def choose_training(
    task: Task, num_rows: int, units_a_pair: float, model: dict[str, Any], dev_rows: int, metric: str
) -> dict[str, Any]:
    """The section ``train``.

    Args:
        task: the task.
        num_rows: pairs of train.
        units_a_pair: mean tokens (or frames) of a pair, both sides together.
        model: the section ``model``.
        dev_rows: pairs of dev.
        metric: the metric that chooses checkpoints.
    """
    if task == "synthesis":
        return choose_speech_training(num_rows, units_a_pair)
    dev_sentences = max(1, min(500, dev_rows))
    if task == "pronunciation" and num_rows <= FEW_PRONUNCIATIONS:
        return {**FEW_WORDS_TRAINING, "dev_metric": metric, "dev_sentences": dev_sentences}
    batch = _batch_tokens(task, num_rows)
    epochs = next((epochs for rows, epochs in EPOCHS_BY_ROWS if num_rows <= rows), 2)
    if task == "parsing":
        epochs = max(2, epochs // 2)
    updates = epochs * max(1.0, num_rows * units_a_pair / batch)
    steps = round_up(min(MOST_STEPS, max(FEWEST_STEPS, updates)))
    every = max(25, steps // 20)
    is_transformer = model["architecture"] == "transformer"
    section: dict[str, Any] = {
        "max_steps": steps,
        "batch_tokens": batch,
        "learning_rate": _learning_rate(model),
        "warmup_steps": min(4_000 if is_transformer else 500, max(20, steps // 10)),
        "schedule": "cosine",
        "validate_every_steps": round_up(every) if every > 100 else every,
        "dev_metric": metric,
        "dev_sentences": dev_sentences,
        "patience": 6,
    }
    if steps >= 2_000 and task not in ("summarisation", "dialogue"):
        section["average_decay"] = 0.998
    if task == "speech":
        section["spec_augment"] = {"frequency_masks": 2, "frequency_width": 8, "time_masks": 2, "time_width": 10}
    if task in ("lines", "captions"):
        section["picture_augment"] = dict(LINE_CHANGES if task == "lines" else PICTURE_CHANGES)
        section |= {"ctc_weight": 0.5} if task == "lines" else {}
    if task == "parsing":
        section |= {"label_smoothing": 0.0, "gradient_clip_norm": 5.0}
    return section


def _learning_rate(model: dict[str, Any]) -> float:
    if model["architecture"] == "transformer":
        return 0.002 if model["width"] <= 128 else 0.001 if model["width"] <= 256 else 0.0007
    return 0.002 if model["architecture"] == "gru" and model["width"] <= 256 else 0.001


def _batch_tokens(task: Task, num_rows: int) -> int:
    if task == "parsing":
        return 1_024 if num_rows < LARGE_ROWS else 4_096
    if task == "speech":
        return 8_192
    if task in ("lines", "captions"):
        return 4_096
    if num_rows < 2_000:
        return 1_024
    return 2_048 if num_rows < 20_000 else 4_096 if num_rows < LARGE_ROWS else 8_192


def dev_fractions(num_rows: int) -> float:
    """The share of train to carve out for dev, or for test: a twentieth, more of few pairs, at most about 2,000 pairs."""
    if num_rows < 2_000:
        return 0.2 if num_rows < 200 else 0.1
    return 0.05 if num_rows <= 40_000 else max(0.0001, round(2_000 / num_rows, 1 - int(math.log10(2_000 / num_rows))))
