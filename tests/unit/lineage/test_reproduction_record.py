from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from seq2seq_core.lineage.reproduction_record import Reproduction, first_difference, largest_difference

STAGES = {
    "prepare": {"data/prepared": {"sha256": "1"}},
    "train": {"models/bundle": {"sha256": "2"}, "reports/t.json": {"sha256": "3"}},
}
RESULT = Reproduction("version 3 of words", "bit-equal", "", 0.0, 1e-3, {}, 4.0, "2031-05-03T00:00:00+00:00")


def test_the_first_stage_that_differs_is_named_and_stages_that_did_not_run_are_left_out() -> None:
    assert first_difference(STAGES, STAGES) == ""
    assert first_difference(STAGES, {"prepare": STAGES["prepare"]}) == ""
    changed = {**STAGES, "train": {"models/bundle": {"sha256": "2"}, "reports/t.json": {"sha256": "9"}}}
    assert first_difference(STAGES, changed) == "train (reports/t.json)"
    assert first_difference(STAGES, {**changed, "prepare": {}}) == "prepare (data/prepared)"


@pytest.mark.parametrize(
    ("other", "expected"),
    [({"a": [1.0, 2.5], "b": [3.0]}, 0.5), ({"a": [1.0, 2.0], "b": [3.0]}, 0.0), ({"a": [1.0]}, None), ({"c": [1.0, 2.0]}, None)],
)
def test_the_distance_of_weights_is_the_largest_of_any(
    other: dict[str, list[float]], expected: float | None, tmp_path: Path
) -> None:
    for name, weights in (("one", {"a": [1.0, 2.0], "b": [3.0]}), ("other", other)):
        save_file({key: torch.tensor(values) for key, values in weights.items()}, tmp_path / name)
    assert largest_difference(tmp_path / "one", tmp_path / "other") == expected


def test_the_result_is_a_sentence_with_the_stage_and_the_machine() -> None:
    assert RESULT.sentence() == "version 3 of words is reproduced: the weights are bit-equal, on the same kind of machine"
    elsewhere = replace(RESULT, outcome="within the tolerance", largest_difference=2e-4, other_machine={"cpu": ["A", "B"]})
    assert elsewhere.is_reproduced
    assert elsewhere.sentence() == (
        "version 3 of words is reproduced within the tolerance: largest difference 0.0002 (tolerance 0.001, which another machine "
        "is allowed), on another machine (cpu: B, was A)"
    )
    failed = replace(RESULT, outcome="different", largest_difference=None, first_difference="tokenize (data/tokenized)")
    assert not failed.is_reproduced
    assert failed.sentence().startswith("version 3 of words is NOT reproduced: other shapes")
    assert failed.sentence().endswith("; the first stage that differs: tokenize (data/tokenized)")
