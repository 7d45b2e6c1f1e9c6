from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from flows.dvc.command import Dvc
from flows.graph.stage_graph import GraphStatus, StageGraph, parse_dot, parse_status, read_stage_graph, read_status
from seq2seq_core.errors import UserError

from .conftest import FAN_OUT, ToyWorkspace

DOT = """strict digraph {
"train";
"prepare";
"data/raw/toy.dvc";
"data/raw/unused.dvc";
"other/dvc.yaml:lexicon";
"other/dvc.yaml:unused";
"data/raw/toy.dvc" -> "prepare";
"prepare" -> "train";
"other/dvc.yaml:lexicon" -> "train";
}
"""


def test_the_graph_holds_the_own_stages_and_all_that_they_stand_on() -> None:
    graph = parse_dot(DOT)
    assert set(graph.stages) == {"train", "prepare", "other/dvc.yaml:lexicon"}
    assert graph.stages[-1] == "train"
    assert graph.upstream["train"] == {"prepare", "other/dvc.yaml:lexicon"}
    assert graph.upstream["prepare"] == frozenset()
    assert graph.sources == ("data/raw/toy.dvc",)


def test_ancestors_reach_all_the_way_up() -> None:
    upstream = {"a": frozenset[str](), "b": frozenset({"a"}), "c": frozenset({"b"}), "d": frozenset({"c", "b"})}
    assert StageGraph(("a", "b", "c", "d"), upstream, ()).ancestors("d") == {"a", "b", "c"}


def test_a_circle_is_named() -> None:
    with pytest.raises(UserError, match=r"^dvc\.yaml: the stages depend on each other in a circle: (a -> b -> a|b -> a -> b)$"):
        parse_dot('"a" -> "b";\n"b" -> "a";\n')


def test_changes_are_told_by_what_changed() -> None:
    answer: dict[str, list[Any]] = {
        "train": [
            {"changed deps": {"data/prepared": "modified", "params.yaml": {"train.seed": "modified", "train.steps": "new"}}},
            {"changed outs": {"models/bundle": "not in cache"}},
            "changed command",
            "always changed",
        ],
    }
    assert parse_status(answer).changes["train"] == (
        "data/prepared modified",
        "params.yaml train.seed modified",
        "params.yaml train.steps new",
        "output models/bundle not in cache",
        "changed command",
        "always changed",
    )


def test_a_stage_is_fresh_only_with_all_that_it_stands_on() -> None:
    graph = parse_dot('"a" -> "b";\n"b" -> "c";\n"x";\n')
    status = GraphStatus({"a": ("params.yaml seed modified",)}, {})
    assert [stage for stage in graph.stages if status.is_fresh(stage, graph)] == ["x"]
    assert status.why_stale("a", graph) == "params.yaml seed modified"
    assert status.why_stale("c", graph) == "upstream: a"
    assert status.why_stale("x", graph) == ""


def test_inputs_that_a_stage_makes_are_not_missing() -> None:
    gone = "deleted"
    answer: dict[str, list[Any]] = {
        "prepare": [{"changed deps": {"data/raw": gone}}, {"changed outs": {"data/prepared": gone}}],
        "train": [{"changed deps": {"data/prepared/train.jsonl": gone, "code.py": "modified"}}],
        "data/raw.dvc": [{"changed outs": {"data/raw": gone}}],
    }
    assert parse_status(answer).missing_inputs == {"data/raw": "prepare"}


def test_dvc_itself_is_asked(make_workspace: Callable[..., ToyWorkspace]) -> None:
    workspace = make_workspace(FAN_OUT)
    place = workspace.root / "dvc.yaml"
    values = yaml.safe_load(place.read_text())
    one = {"cmd": "cat out/join > out/${item.side}", "deps": ["out/join"], "outs": ["out/${item.side}"]}
    values["stages"]["export"] = {"matrix": {"side": ["de", "fr"]}, **one}
    place.write_text(yaml.safe_dump(values))
    graph = read_stage_graph(Dvc(workspace.root))
    assert dict(graph.upstream) == {
        **{stage: frozenset(upstream) for stage, upstream in FAN_OUT.items()},
        "export@de": frozenset({"join"}),
        "export@fr": frozenset({"join"}),
    }
    assert graph.sources == ("data/raw/toy.dvc",)
    status = read_status(Dvc(workspace.root))
    assert set(status.changes) == set(graph.stages)
    assert status.missing_inputs == {}


def test_a_graph_that_dvc_cannot_read_is_told_in_its_words(make_workspace: Callable[..., ToyWorkspace]) -> None:
    workspace = make_workspace(FAN_OUT)
    (workspace.root / "dvc.yaml").write_text(json.dumps({"stages": {"a": {"cmd": "true", "dep": []}}}))
    with pytest.raises(UserError, match=r"^dvc dag --dot: './dvc\.yaml' validation failed\.\n"):
        read_stage_graph(Dvc(workspace.root))
