"""Sizes of a model that speaks, and of its training: those of `configs/synthesis.yaml`, but for their length."""

from __future__ import annotations

from typing import Any

from seq2seq_core.corpus_survey.choices.unit_choice import round_up

BATCH_FRAMES, EPOCHS, FEWEST_STEPS, MOST_STEPS = 3_000, 22, 3_000, 30_000
LARGE_ROWS = 10_000


def choose_speaker(num_rows: int) -> dict[str, Any]:
    """The section ``model``.

    Args:
        num_rows: pairs of train.
    """
    frames = {
        "frames_per_step": 4, "pre_net_width": 96, "drops_in_decoding": True, "frame_dropout": 0.2,
        "post_net_layers": 3, "post_net_width": 128,
    }  # fmt: skip
    return {
        "architecture": "gru", "attention": "location", "input_feeding": True, "width": 160 if num_rows < LARGE_ROWS else 256,
        "encoder_layers": 1, "decoder_layers": 1, "dropout": 0.1, "frames": frames,
    }  # fmt: skip


def choose_speech_training(num_rows: int, units_a_pair: float) -> dict[str, Any]:
    """The section ``train``.

    Args:
        num_rows: pairs of train.
        units_a_pair: mean tokens and frames of a pair.
    """
    steps = round_up(min(MOST_STEPS, max(FEWEST_STEPS, EPOCHS * num_rows * units_a_pair / BATCH_FRAMES)))
    return {
        "phases": [{"objective": "frames"}],
        "max_steps": steps,
        "batch_tokens": BATCH_FRAMES,
        "learning_rate": 0.002,
        "warmup_steps": 200,
        "schedule": "cosine",
        "frames": {"guided_attention_weight": 5.0, "stop_positive_weight": 5.0},
        "dev_metric": "loss",
        "validate_every_steps": round_up(steps // 6),
        "patience": 0,
    }
