"""Every settings file that is shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_core.config.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
READY = sorted((ROOT / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_a_ready_settings_file_is_valid_and_says_how_to_use_it(path: Path) -> None:
    load_settings(path)
    assert f"s2s configure configs/{path.name}" in path.read_text(encoding="utf-8")


def test_there_is_a_ready_file_for_each_promised_task() -> None:
    promised = {
        "dates", "g2p", "scan", "multi30k_en_de", "multilingual", "inflection", "summarisation", "dialogue", "spoken_digits",
        "unsupervised_en_de", "normalisation", "spelling",
    }  # fmt: skip
    assert promised <= {path.stem for path in READY}


def test_the_default_parameters_are_those_of_the_dates() -> None:
    assert load_settings(ROOT / "params.yaml") == load_settings(ROOT / "configs" / "dates.yaml")
