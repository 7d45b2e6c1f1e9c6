"""What a later stage would refuse is told before the work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.errors import UserError
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.code import run_code
from seq2seq_core.stages.looking_ahead import check_engine, missing_models


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
    check_engine(settings(**sections))
    check_engine(settings(model={"architecture": "transformer"}, evaluate={"engine": "ctranslate2"}))


def test_models_that_are_not_there_are_told_each(tmp_path: Path) -> None:
    phases = [{"objective": "likelihood"}, {"objective": "minimum_risk", "judge": {"reader": "deaf"}}]
    asked = settings(prepare={"distill": {"teacher": "models:/nobody/3"}}, train={"phases": phases})
    first, second = missing_models(asked, Paths(tmp_path))
    assert first.startswith("prepare.distill.teacher: ")  # the registry may still be made: no fault yet, and it hides no other
    assert second.startswith("train.phases.1.judge.reader: ")
    assert "no such folder" in second
    assert not list(missing_models(settings(), Paths(tmp_path)))
