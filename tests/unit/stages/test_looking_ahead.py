"""What a later stage would refuse is told before the work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.errors import TrackingUnreachable, UserError
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.serving import found_models
from seq2seq_core.stages.code import run_code
from seq2seq_core.stages.looking_ahead import look_ahead


def settings(**sections: Any) -> Settings:
    return parse_settings(
        {"corpus": {"path": "raw", "files": {"train": ["t.tsv"]}}, "register": {"model_name": "m"}} | sections, "p"
    )


@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        ({"model": {"architecture": "gru"}}, "the encoder is recurrent"),
        ({"model": {"architecture": "transformer"}, "train": {"ensemble": {"members": 2}}}, "an ensemble of 2"),
        ({"model": {"architecture": "transformer"}, "corpus": {"path": "raw", "source_kind": "audio", "sample_rate": 8000,
          "files": {"train": ["t.tsv"]}}, "tokenize": {"audio": {}}}, "the sources are frames"),
        ({"model": {"architecture": "transformer"}, "evaluate": {"length_penalty": 2.0}}, "ends the search before long"),
    ],
)  # fmt: skip
def test_an_engine_that_cannot_hold_the_model(sections: dict[str, Any], reason: str, tmp_path: Path) -> None:
    ahead = settings(**sections | {"evaluate": {"engine": "ctranslate2", **sections.get("evaluate", {})}})
    with pytest.raises(UserError, match=rf"evaluate\.engine: must be auto or torch here, .*{reason}"):
        run_code(ahead, Paths(tmp_path), NullRecorder())  # the first stage of each run of the graph
    look_ahead(settings(**sections), Paths(tmp_path))
    look_ahead(settings(model={"architecture": "transformer"}, evaluate={"engine": "ctranslate2"}), Paths(tmp_path))


def test_models_that_are_not_there_and_a_registry_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    taught = settings(prepare={"distill": {"teacher": "nowhere"}})
    with pytest.raises(UserError, match=r"prepare\.distill\.teacher: .*nowhere"):
        look_ahead(taught, Paths(tmp_path))
    look_ahead(taught, Paths(tmp_path), ("evaluate",))

    def unreachable(*_: object) -> None:
        raise TrackingUnreachable("MLflow does not answer")

    monkeypatch.setattr(found_models, "find_pinned_model", unreachable)
    look_ahead(taught, Paths(tmp_path))
    assert "were not looked for: MLflow does not answer" in caplog.text
