from __future__ import annotations

from pathlib import Path

import pytest

import seq2seq_core
from seq2seq_core.artifacts import Paths
from seq2seq_core.errors import UserError


def test_a_model_is_loaded_by_name_by_folder_and_from_the_workspace(
    registered_paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(registered_paths.root)
    texts = ["3 May 2031", "4. Juni 1999"]
    named = seq2seq_core.load("models:/dates@champion").predict(texts)
    assert named == seq2seq_core.load(registered_paths.served).predict(texts)
    elsewhere = seq2seq_core.load(workspace=registered_paths.root)
    assert named == elsewhere.predict(texts)
    assert elsewhere.predict(texts[0]).text == named[0].text, "a text in, a prediction out"
    with pytest.raises(UserError, match="no model 'times'"):
        seq2seq_core.load("models:/times@champion")
    with pytest.raises(UserError, match="nowhere"):
        seq2seq_core.load(Path("nowhere"))


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="lode"):
        _ = seq2seq_core.lode
