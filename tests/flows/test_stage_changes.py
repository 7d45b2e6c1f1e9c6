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
  tokenize:
    cmd: s2s tokenize
    deps:
    - {path: reports/code/tokenize.json, hash: md5, md5: 00000000000000000000000000000000}
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
        "train.seed: 1 → 2",
        "train.phases.first.steps: 3 → 4",
        "train.phases.first.rate: 1 (not set before)",
    )


def test_a_digest_that_nothing_kept_explains_is_the_code(tmp_path: Path) -> None:
    (tmp_path / "reports" / "code").mkdir(parents=True)
    (tmp_path / "reports" / "code" / "tokenize.json").write_text('{"code": {}}')
    (found,) = explain(tmp_path, tokenize=("reports/code/tokenize.json modified",))["tokenize"]
    assert found == "its code has changed (the earlier digests are not kept here, so that no function can be named)"


def test_a_change_that_the_files_do_not_explain_stays_as_dvc_names_it(tmp_path: Path) -> None:
    found = explain(tmp_path, prepare=("params.yaml corpus.path deleted", "changed command"))
    assert found == {"prepare": ("changed command", "corpus.path: not set any more (was data)")}
    assert explain(tmp_path, tokenize=("params.yaml tokenize modified",)) == {"tokenize": ("params.yaml tokenize modified",)}
