from __future__ import annotations

from typing import Any

from flows.graph.outputs_elsewhere import forgive_missing
from flows.graph.stage_graph import parse_status

LOCK: dict[str, Any] = {
    "prepare": {"outs": [{"path": "out/prepare", "md5": "1"}, {"path": "reports/code", "md5": "5.dir"}]},
    "train": {"deps": [{"path": "out/prepare", "md5": "1"}], "outs": [{"path": "out/train", "md5": "2"}]},
    "evaluate": {"deps": [{"path": "out/train", "md5": "2"}], "outs": [{"path": "out/evaluate", "md5": "3"}]},
}


def changes(answer: dict[str, Any], lock: dict[str, Any] = LOCK) -> dict[str, tuple[str, ...]]:
    return dict(parse_status(forgive_missing(answer, lock, {"prepare", "train"})).changes)


def test_what_is_only_missing_here_makes_no_stage_stale() -> None:
    answer = {
        "prepare": [{"changed outs": {"out/prepare": "not in cache"}}],
        "train": [{"changed deps": {"out/prepare": "deleted"}}, {"changed outs": {"out/train": "deleted"}}],
        "evaluate": [{"changed deps": {"out/train": "deleted"}}],
    }
    assert changes(answer) == {}
    assert parse_status(answer).missing_inputs == {}


def test_the_output_of_a_stage_that_runs_here_must_be_here() -> None:
    assert changes({"evaluate": [{"changed outs": {"out/evaluate": "deleted"}}]}) == {"evaluate": ("output out/evaluate deleted",)}


def test_other_changes_beside_a_missing_file_count() -> None:
    answer = {"train": [{"changed deps": {"out/prepare": "deleted", "params.yaml": {"train.seed": "modified"}}}, "always changed"]}
    assert changes(answer) == {"train": ("params.yaml train.seed modified", "always changed")}


def test_a_reader_of_older_outputs_than_the_last_is_stale() -> None:
    later = {**LOCK, "prepare": {"outs": [{"path": "out/prepare", "md5": "other"}]}}
    assert changes({"train": [{"changed deps": {"out/prepare": "deleted"}}]}, later) == {"train": ("out/prepare deleted",)}


def test_an_input_that_no_stage_on_a_pool_makes_counts() -> None:
    assert changes({"train": [{"changed deps": {"lexicon.tsv": "deleted"}}]}) == {"train": ("lexicon.tsv deleted",)}
    inside = {"train": [{"changed deps": {"reports/code/train.json": "deleted"}}]}
    assert changes(inside) == {"train": ("reports/code/train.json deleted",)}
