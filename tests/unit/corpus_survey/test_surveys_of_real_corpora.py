"""What is proposed for corpora that nobody on this project wrote. Their folder is no part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import load_settings
from seq2seq_core.corpus_survey.proposed_settings import install_proposal

CORPORA = Path(os.environ.get("SEQ2SEQ_CORPORA", Path(__file__).parents[3].parent / "shared" / "corpora"))
pytestmark = pytest.mark.skipif(
    not CORPORA.is_dir(), reason=f"the real corpora are not at {CORPORA} (set SEQ2SEQ_CORPORA to their folder)"
)


@pytest.mark.parametrize(
    ("name", "task", "units", "bleu_tokenizer", "languages"),
    [
        ("cogs", "parsing", "symbols", "13a", ""),
        ("scan_simple", "parsing", "symbols", "13a", ""),
        ("g2p2020_kor", "pronunciation", "symbols", "13a", ""),
        ("wikidata_translit_en_he", "transliteration", "symbols", "13a", ""),
        ("eutrans_es_en", "translation", "unigram", "none", "es en"),
        ("tatoeba_en_zh", "translation", "unigram", "zh", "en"),
        ("voice_kerstin", "speech", "char", "13a", "de"),
        ("fraktur_lines", "lines", "char", "13a", ""),
        ("emoji_names", "captions", "bpe", "13a", ""),
    ],
)
def test_a_real_corpus_is_recognised(tmp_path: Path, name: str, task: str, units: str, bleu_tokenizer: str, languages: str) -> None:
    findings = install_proposal(Paths(tmp_path), CORPORA / name, None, "", force=False)
    assert any(line.startswith(f"task: {task}, because ") for line in findings)
    settings = load_settings(tmp_path / "params.yaml")
    assert " ".join(settings.corpus.languages.values()) == languages
    assert settings.tokenize.target.model == units
    assert settings.train.dev_bleu_tokenizer == settings.evaluate.bleu_tokenizer == bleu_tokenizer


def test_of_several_corpora_in_a_folder_the_one_with_most_splits_is_taken(tmp_path: Path) -> None:
    findings = install_proposal(Paths(tmp_path), CORPORA / "dirty_as_found", None, "", force=False)
    files = load_settings(tmp_path / "params.yaml").corpus.files
    assert files.train == [("lafand_en-zul_train.en", "lafand_en-zul_train.zul")]
    assert files.dev
    assert files.test
    assert any(line.startswith("left out: americasnlp_nahuatl_train_first4000.es") for line in findings)
