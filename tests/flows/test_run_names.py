from __future__ import annotations

import re
from pathlib import Path

import pytest

from flows.server.run_names import artifact_key, workspace_model


@pytest.mark.parametrize("name", ["Dates", "dates.v2", "dates_v2", "数字", "-dates-"])
def test_the_key_of_an_artifact_is_valid_and_differs_from_that_of_a_similar_name(name: str) -> None:
    key = artifact_key(name, "retrain-report")
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*-retrain-report", key)
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    assert key != artifact_key(plain, "retrain-report")


def test_a_plain_name_begins_its_keys_as_it_is() -> None:
    assert artifact_key("dates", "retrain-report") == "dates-retrain-report"


def test_a_workspace_without_a_readable_name_goes_by_its_folder(tmp_path: Path) -> None:
    assert workspace_model(tmp_path) == tmp_path.name
    (tmp_path / "params.yaml").write_text("register: []\n")
    assert workspace_model(tmp_path) == tmp_path.name
    (tmp_path / "params.yaml").write_text("register: {model_name: dates}\nunknown: 1\n")
    assert workspace_model(tmp_path) == "dates"
