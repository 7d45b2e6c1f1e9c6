"""Sizes of model and training for more pairs than the settings were made for, by stated rules.

With r = pairs now / pairs then (``train.sized_for_pairs``), above 1:

- ``model.width`` (and ``model.feedforward_width``) double beyond a factor of 4, and again from 64 on;
- ``train.batch_tokens``, ``train.max_steps``, ``train.warmup_steps`` and ``train.validate_every_steps`` grow with the square root
  of r: as many passes over train, and as many validations;
- ``model.dropout`` is 0.05 less for each doubling, at least 0.1.

With fewer pairs all stays: a smaller train set needs more passes, and a training shortened in proportion was worse.

They are numbers in ``params.yaml``: a corpus that grows changes no model by itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from seq2seq_core.config.settings import Settings, load_settings
from seq2seq_core.errors import UserError

WIDEST = 1024
DROPOUT_A_DOUBLING, LEAST_DROPOUT = 0.05, 0.1
GROWING = ("max_steps", "batch_tokens", "warmup_steps", "validate_every_steps")
TELLING_RATIO = 2.0
"""Train this many times as large: other sizes are worth telling."""


def sizes_for(settings: Settings, num_pairs: int) -> dict[str, dict[str, Any]]:
    """The settings that are other ones for a number of pairs, by section and name.

    Args:
        settings: with ``train.sized_for_pairs``; of a training of one phase.
        num_pairs: rows of train.
    """
    model, train = settings.model, settings.train
    if num_pairs <= train.sized_for_pairs:
        return {"model": {}, "train": {}}
    ratio = num_pairs / train.sized_for_pairs
    doublings = math.log2(ratio)
    width = min(WIDEST, model.width * 2 ** round(doublings / 4))
    dropout = max(LEAST_DROPOUT, round(model.dropout - DROPOUT_A_DOUBLING * doublings, 2))
    found: dict[str, dict[str, Any]] = {
        "model": {"width": max(model.width, width), "dropout": min(model.dropout, dropout)},
        "train": {name: _two_digits(getattr(train, name) * math.sqrt(ratio)) for name in GROWING} | {"sized_for_pairs": num_pairs},
    }
    if "transformer" in (model.encoder_architecture, model.decoder_architecture):
        found["model"]["feedforward_width"] = model.feedforward_width * found["model"]["width"] // model.width
    old = {"model": model, "train": train}
    return {name: {key: value for key, value in own.items() if value != getattr(old[name], key)} for name, own in found.items()}


def why_not_resize(settings: Settings) -> str:
    """Why the rules do not apply to settings; empty: they do.

    Args:
        settings: of a workspace or of a ready file.
    """
    if not settings.train.sized_for_pairs:
        return "train.sized_for_pairs does not say for how many pairs its sizes are"
    return "train.phases has several, whose lengths go together" if settings.train.phases else ""


def size_note(settings: Settings, num_pairs: int) -> str:
    """That other sizes would fit a train set, as a sentence; empty: these do, or nothing is known.

    Args:
        settings: of a workspace or of a ready file.
        num_pairs: rows of train.
    """
    if not num_pairs or why_not_resize(settings):
        return ""
    before = settings.train.sized_for_pairs
    if num_pairs / before < TELLING_RATIO:
        return ""
    sizes = sizes_for(settings, num_pairs)
    del sizes["train"]["sized_for_pairs"]
    told = ", ".join(f"{section}.{key} {value}" for section, own in sizes.items() for key, value in own.items())
    return (
        f"the sizes of model and training are for {before:,} pairs of train, which has {num_pairs:,} rows; by the rules of "
        f"`s2s configure --fit-sizes` they would be {told}"
    )


def nearer_file(ready_file: Path, settings: Settings, num_pairs: int) -> str:
    """The ready file of the same task that is for about as many pairs, as a sentence; empty: this one is the nearest.

    Files of one task share the beginning of their name: ``g2p.yaml`` and ``g2p_small.yaml``.

    Args:
        ready_file: the chosen file.
        settings: of it.
        num_pairs: rows of train.
    """
    sizes = {ready_file: settings.train.sized_for_pairs}
    for other in sorted(ready_file.parent.glob("*.yaml")):
        if f"{other.stem}_".startswith(f"{ready_file.stem}_") or f"{ready_file.stem}_".startswith(f"{other.stem}_"):
            with suppress(UserError):  # somebody's file that is not finished
                sizes[other] = load_settings(other).train.sized_for_pairs
    known = [file for file, size in sizes.items() if size]
    if not num_pairs or ready_file not in known:
        return ""
    nearest = min(known, key=lambda file: abs(math.log(num_pairs / sizes[file])))
    if nearest == ready_file:
        return ""
    return (
        f"{nearest} is for about {sizes[nearest]:,} pairs of train, which is nearer to these {num_pairs:,} rows than {ready_file}"
    )


def read_size_note(settings: Settings, report: Path) -> str:
    """The note of :func:`size_note` for the train set of the last ``prepare``; empty where there is none.

    Args:
        settings: of a workspace.
        report: ``reports/prepare.json``.
    """
    try:
        rows = json.loads(report.read_text(encoding="utf-8"))["train"]["rows_in"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return size_note(settings, rows) if isinstance(rows, int) else ""


def resize(document: Any, settings: Settings, num_pairs: int) -> str:
    """Replaces the sizes in a document of settings; returns what was replaced, as a line.

    Args:
        document: of a YAML file, changed in place.
        settings: the same, parsed.
        num_pairs: rows of train.
    """
    sizes: Mapping[str, Mapping[str, Any]] = sizes_for(settings, num_pairs)
    changed = []
    for section, own in sizes.items():
        for key, value in own.items():
            document[section][key] = value
            changed.append(f"{section}.{key} {value} (was {getattr(getattr(settings, section), key)})")
    before = settings.train.sized_for_pairs
    return f"sizes: for {num_pairs:,} rows of train instead of {before:,}: {', '.join(changed) or 'as they are'}"


def _two_digits(number: float) -> int:
    """A number rounded to two digits."""
    return int(float(f"{number:.2g}"))
