from __future__ import annotations

from pathlib import Path

import pytest

from flows.graph.preconditions import check_inputs, check_names
from flows.graph.stage_graph import GraphStatus, StageGraph
from flows.retraining import find_paths
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.errors import ConfigError, MissingInput, UserError

from .conftest import PARAMS

GRAPH = StageGraph(("prepare", "train@de"), {"prepare": frozenset(), "train@de": frozenset({"prepare"})}, ())


def settings(**flow: object) -> Settings:
    return parse_settings({**PARAMS, "runtime": {"flow": flow}}, "params.yaml")


def test_a_policy_for_a_stage_that_there_is_not_is_a_fault() -> None:
    with pytest.raises(ConfigError) as caught:
        check_names(GRAPH, settings(stages={"trian": {"retries": 3}, "train": {}, "train@de": {}}), frozenset())
    assert caught.value.faults == ["runtime.flow.stages.trian: must be a stage of dvc.yaml (prepare, train@de)"]


def test_the_built_in_policies_may_name_stages_that_there_are_not() -> None:
    check_names(StageGraph(("prepare",), {"prepare": frozenset()}, ()), settings(), frozenset())


def test_a_folder_without_a_graph_is_no_workspace(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        find_paths(str(tmp_path))
    expected = "expected a workspace, as `s2s init FOLDER` makes one, or a clone of the repository"
    assert str(caught.value) == f"{tmp_path}: no dvc.yaml there; {expected}"


def test_a_missing_input_that_is_no_corpus_is_named_with_its_reader(tmp_path: Path) -> None:
    (tmp_path / "data" / "raw" / "toy").mkdir(parents=True)
    (tmp_path / "dvc.yaml").touch()
    status = GraphStatus({"prepare": ("lexicon.tsv deleted",)}, {"lexicon.tsv": "prepare"})
    with pytest.raises(MissingInput) as caught:
        check_inputs(status, settings(), find_paths(str(tmp_path)))
    assert str(caught.value) == (
        "lexicon.tsv: no such file or folder; the stage prepare reads it (`dvc pull` fetches what DVC tracks)"
    )


def test_policies_fill_up_from_the_default_and_then_from_the_built_in_ones() -> None:
    flow = settings(default={"retries": 3, "tags": ["cpu"]}, stages={"train": {"tags": ["gpu"], "retries": 0}}).runtime.flow
    train = flow.policy("train@de")
    assert (train.retries, train.retry_delay_seconds, train.time_limit_seconds, train.tags) == (0, 5.0, 86_400.0, ("gpu",))
    assert (flow.policy("prepare").retries, flow.policy("prepare").tags) == (3, ("cpu",))
    assert settings().runtime.flow.policy("train").tags == ("gpu",)
