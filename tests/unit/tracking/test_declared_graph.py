from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from seq2seq_core.stage_table import Stage
from seq2seq_core.tracking.runs import declared_graph
from seq2seq_core.tracking.runs.declared_graph import find_followers, is_last_run

GRAPH: dict[str, Any] = {
    "prepare": {"deps": ["${corpus.path}"], "outs": ["data/prepared"], "metrics": [{"reports/prepare.json": {"cache": False}}]},
    "train": {"deps": ["data/prepared/train.jsonl"], "outs": ["models/bundle"]},
    "export": {"foreach": ["de", "fr"], "do": {"deps": ["models/bundle"], "outs": ["out/${item}"]}},
    "register": {"deps": ["models"], "outs": [{"reports/registration.json": {"cache": False}}]},
    "notes": {"deps": ["reports/prepare.json"]},
}


@pytest.mark.parametrize(
    ("stage", "followers"),
    [
        ("prepare", {"train", "export", "register", "notes"}),
        ("train", {"export", "register"}),
        ("export", set()),
        ("register", set()),
        ("not there", set()),
    ],
)
def test_a_stage_follows_another_whose_files_or_folders_it_reads(stage: str, followers: set[str]) -> None:
    assert find_followers(stage, GRAPH) == followers


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = [Stage(name, (), "") for name in ("prepare", "train", "register")] + [Stage("export", (), "", is_tracked=False)]
    monkeypatch.setattr(declared_graph, "STAGES", tuple(stages))


@pytest.mark.usefixtures("table")
def test_the_last_run_is_that_of_a_stage_that_no_tracked_one_follows(tmp_path: Path) -> None:
    chain = {
        "prepare": GRAPH["prepare"],
        "train": GRAPH["train"],
        "export": {"deps": ["models/bundle"]},
        "own": {"deps": ["models/bundle"]},
    }
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": chain}), encoding="utf-8")
    assert [is_last_run(stage, tmp_path) for stage in ("prepare", "train")] == [False, True]
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": chain | {"register": GRAPH["register"]}}), encoding="utf-8")
    assert [is_last_run(stage, tmp_path) for stage in ("train", "register")] == [False, True]


def test_without_a_graph_every_stage_is_the_last(tmp_path: Path) -> None:
    assert is_last_run("prepare", tmp_path)
