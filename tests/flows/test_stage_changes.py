from __future__ import annotations

from pathlib import Path

from flows.graph.stage_changes import explain_changes
from flows.graph.stage_graph import GraphStatus

LOCK = """schema: '2.0'
stages:
  train:
    cmd: s2s train
    params:
      params.yaml:
        model: {width: 16}
        train: {seed: 1, warmup: 010, phases: {first: {steps: 3}}}
  prepare:
    cmd: s2s prepare
    params:
      params.yaml:
        corpus.path: data
"""
PARAMS = """model: {width: 16}
train: {seed: 2, warmup: 010, phases: {first: {steps: 4, rate: 1}}}
"""


def explain(tmp_path: Path, **changes: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    (tmp_path / "dvc.lock").write_text(LOCK, encoding="utf-8")
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    return dict(explain_changes(GraphStatus(changes, {}), tmp_path).changes)


def test_a_stage_that_dvc_lock_lacks_never_ran(tmp_path: Path) -> None:
    found = explain(tmp_path, evaluate=("reports/code/evaluate.json modified", "params.yaml new", "output reports/x deleted"))
    assert found == {"evaluate": ("never run",)}
    assert explain(tmp_path, **{"data/raw/toy.dvc": ("changed",)}) == {"data/raw/toy.dvc": ("changed",)}


def test_a_changed_section_is_told_by_its_settings_and_explains_the_digest_of_the_code(tmp_path: Path) -> None:
    found = explain(tmp_path, train=("data/tokenized modified", "reports/code/train.json modified", "params.yaml train modified"))
    assert found["train"] == (
        "data/tokenized modified",
        "params.yaml train.seed modified",
        "params.yaml train.phases.first.steps modified",
        "params.yaml train.phases.first.rate new",
    )


def test_a_digest_without_a_changed_setting_is_the_code(tmp_path: Path) -> None:
    assert explain(tmp_path, train=("reports/code/train.json modified",)) == {"train": ("its code modified",)}


def test_a_change_that_the_files_do_not_explain_stays_as_dvc_names_it(tmp_path: Path) -> None:
    found = explain(tmp_path, prepare=("params.yaml corpus.path deleted", "changed command"))
    assert found == {"prepare": ("changed command", "params.yaml corpus.path deleted")}
