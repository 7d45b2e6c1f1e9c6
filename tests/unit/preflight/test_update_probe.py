"""The probe makes real updates, finds the largest batch, and never makes one that it foretells not to fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.preflight.stage_forecasts import largest_fitting
from seq2seq_core.preflight.update_probe import WARM_UP, probe
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.export import run_export
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train
from seq2seq_core.training.updates.updater import Updater
from tests.reversed_words import write_reversed_words

SECTIONS: dict[str, Any] = {
    "corpus": {"path": "x", "files": {"train": ["train.tsv"]}},
    "register": {"model_name": "m"},
    "tokenize": {"source": {"model": "char"}, "target": {"model": "char"}},
    "model": {"width": 16},
    "train": {
        "max_steps": 2, "warmup_steps": 1, "batch_tokens": 4096, "validate_every_steps": 2, "dev_sentences": 5,
        "phases": [
            {"objective": "likelihood"},
            {"objective": "minimum_risk", "batch_tokens": 64, "reinforcement": {"num_samples": 2}},
        ],
    },
    "evaluate": {"confidence_event": "none", "beam_size": 3},
    "runtime": {"device": "cpu", "progress": "plain"},
}  # fmt: skip
MUCH = 10**15


@pytest.fixture
def settings() -> Settings:
    return parse_settings(SECTIONS, "test")


@pytest.fixture
def paths(tmp_path: Path, settings: Settings) -> Paths:
    """A workspace with a model that was exported."""
    paths = Paths(tmp_path)
    write_reversed_words(paths)
    for run in (run_tokenize, run_train, run_export):
        run(settings, paths, NullRecorder())
    return paths


def test_every_phase_is_measured_and_a_batch_that_cannot_fit_is_never_made(
    settings: Settings, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = probe(settings, paths, 0.0, MUCH)
    assert found.fits
    assert found.peak_bytes >= found.base_bytes > 0
    assert found.batch_tokens in (4096, 64)
    assert len(found.phases) == 2
    for phase in found.phases:
        assert len(phase.updates) >= WARM_UP
        assert all(update.cpu_seconds > 0 for update in phase.updates)
        assert phase.likelihoods.cpu_seconds > 0
        assert 0 < phase.decoded_share <= 1
    assert found.decoding is not None
    assert found.decoding.greedy is not None
    assert found.decoding.most_share > 1
    assert largest_fitting(found, MUCH) == found.batch_tokens // 100 * 100 or found.batch_tokens < 100

    rows, apply = list[int](), Updater.apply

    def watched(self: Updater, batches: Any, *arguments: Any) -> Any:
        rows.extend(batch.target_in_BT.shape[0] for batch in batches)
        return apply(self, batches, *arguments)

    monkeypatch.setattr(Updater, "apply", watched)
    probe(settings, paths, 0.0, MUCH)
    largest = max(rows)
    rows.clear()
    full = probe(settings, paths, 0.0, 1)
    assert not full.fits
    assert full.phases == []
    assert 0 < max(rows) <= largest // 4
