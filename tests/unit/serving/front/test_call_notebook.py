"""The notebook that calls the served model runs against the server, and shows what it says."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from tests.unit.serving.front.conftest import House

NOTEBOOK = Path(__file__).resolve().parents[4] / "examples" / "call_the_model.py"


def test_the_notebook_gets_answers_choices_and_the_reason_of_a_fault(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2S_ADDRESS", f"http://127.0.0.1:{house.port}")
    shown = runpy.run_path(str(NOTEBOOK))
    assert [row["prediction"] for row in shown["predictions"]] == ["3 MAY 2031", "4. JUNI 1999"]
    assert shown["version"].startswith("models:/dates/")
    assert [hypothesis["text"] for hypothesis in shown["choices"]["hypotheses"]] == ["3 MAY 2031", "3 MAY 20311", "3 MAY 20312"]
    assert shown["fault"].status_code == 400
