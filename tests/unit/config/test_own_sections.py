"""Settings that a stage brings along: the table names their class, and Settings does not declare them."""

from __future__ import annotations

from typing import Any

import pytest

from seq2seq_core import stage_table
from seq2seq_core.config.register import RegisterSection
from seq2seq_core.config.section import Section
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.errors import ConfigError
from seq2seq_core.stage_table import Stage, find_stage
from seq2seq_core.tracking.runs.parameters import stage_parameters

REQUIRED = {"corpus": {"path": "x", "files": {"train": ["t.tsv"]}}, "register": {"model_name": "m"}}


class NotesSection(Section):
    """Settings of a stage that only these tests have."""

    style: str = "short"
    """How long they are."""


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage("notes", ("register", "notes"), "", own_section=f"{__name__}:NotesSection")
    monkeypatch.setattr(stage_table, "STAGES", (*stage_table.STAGES, stage))


@pytest.mark.usefixtures("notes")
def test_a_section_of_a_stage_is_read_and_its_parameters_are_known() -> None:
    settings = parse_settings(REQUIRED | {"notes": {"style": "long"}}, "test")
    assert settings.section(NotesSection).style == "long"
    assert settings.section(RegisterSection) is settings.register_ is settings.section_named("register")
    parameters = stage_parameters("notes", settings)
    assert (parameters["notes.style"], parameters["register.model_name"]) == ("long", "m")
    assert parse_settings(REQUIRED, "test").section(NotesSection) == NotesSection()
    assert parse_settings(REQUIRED, "test") == parse_settings(REQUIRED, "test")


@pytest.mark.usefixtures("notes")
@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"style": 3}, "notes.style: must be a text, got 3"),
        ({"styl": "long"}, "notes.styl: must be a known setting, got an unknown name (value 'long')"),
    ],
)
def test_its_faults_read_like_those_of_any_section(values: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings(REQUIRED | {"notes": values}, "test")
    assert caught.value.faults == [fault]


def test_without_such_a_stage_the_section_is_unknown() -> None:
    assert type(parse_settings(REQUIRED, "test")) is Settings
    with pytest.raises(ConfigError, match="notes: must be a known setting, got an unknown name"):
        parse_settings(REQUIRED | {"notes": {}}, "test")


def test_a_stage_that_the_table_lacks_is_a_mistake() -> None:
    with pytest.raises(KeyError, match="trian"):
        find_stage("trian")
