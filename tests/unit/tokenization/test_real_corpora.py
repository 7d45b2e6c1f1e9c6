"""Texts that nobody on this project wrote must survive the round trip."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import get_args

import pytest

from seq2seq_core.config.tokenize import SubwordKind, SubwordSettings
from seq2seq_core.tokenization.subword import train_subword

CORPORA = Path(os.environ.get("SEQ2SEQ_CORPORA", Path(__file__).resolve().parents[4] / "shared" / "corpora"))
FILES = {
    "g2p2020_hin": "train.tsv", "g2p2020_kor": "train.tsv", "tatoeba_en_zh": "all.tsv", "small_parallel_enja": "train.tsv",
    "wikidata_translit_en_he": "train.tsv", "multi30k_en_de_raw": "train.tsv", "scan_simple": "train.tsv", "cogs": "train.tsv",
}  # fmt: skip
ROWS = 1500


@pytest.mark.parametrize("kind", get_args(SubwordKind))
@pytest.mark.parametrize("corpus", FILES)
def test_texts_of_real_corpora_survive_the_round_trip(corpus: str, kind: str) -> None:
    path = CORPORA / corpus / FILES[corpus]
    if not path.is_file():
        pytest.skip(f"the corpus {path} is not here (SEQ2SEQ_CORPORA names the folder)")
    with path.open(encoding="utf-8", newline="\n") as file:
        texts = [text for line in islice(file, ROWS) for text in line.rstrip("\n").split("\t")[:2]]
    model = train_subword(texts, SubwordSettings.model_validate({"model": kind, "vocabulary_size": 20_000}))
    expected = [" ".join(text.split()) for text in texts] if kind == "symbols" else texts
    assert model.decode(model.encode(texts)) == expected
