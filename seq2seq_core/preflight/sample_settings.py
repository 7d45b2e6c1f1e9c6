"""The settings of the throw-away workspace: those of the user, with the sample, a few updates, and servers of its own."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.config.settings import Settings

SAMPLE_STEPS = 3
"""Updates of the model that goes through export, evaluate and register."""
NO_SERVERS = {
    "tracking_uri": "", "openlineage_url": "", "dask_address": "", "system_metrics_seconds": 0.0, "progress": "plain",
    "signing": {},
}  # fmt: skip


def full_values(settings: Settings, corpus: CorpusSection) -> dict[str, Any]:
    """The sections of the user's settings, with the sample as their corpus.

    Contracts and limits that a sample may break are only reported: the corpus itself is judged by ``s2s validate``.

    Args:
        settings: of the user.
        corpus: of the sample.
    """
    values: dict[str, Any] = settings.model_dump(mode="json")
    values = {name.removesuffix("_"): section for name, section in values.items()}
    values["corpus"] = corpus.model_dump(mode="json")
    for contract in values["validate"].values():
        if isinstance(contract, dict) and contract.get("severity") == "error":
            contract["severity"] = "warning"
    for contract in values["validate"]["contracts"]:
        contract["severity"] = "warning" if contract["severity"] == "error" else contract["severity"]
    values["prepare"] |= {"max_dropped_fraction": 1.0, "warn_dropped_fraction": 1.0}
    values["runtime"] |= NO_SERVERS
    return values


def shortened(values: dict[str, Any]) -> dict[str, Any]:
    """The same with a training of a few updates and a validation.

    Args:
        values: of :func:`full_values`.
    """
    short = deepcopy(values)
    for phase in (short["train"], *short["train"]["phases"]):
        phase.update({"max_steps": SAMPLE_STEPS, "warmup_steps": 1, "validate_every_steps": SAMPLE_STEPS, "max_epochs": 0})
    return short
