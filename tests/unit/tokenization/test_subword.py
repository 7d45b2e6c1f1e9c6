from __future__ import annotations

import logging
import random
import string
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import get_args

import pytest

from seq2seq_core.config.tokenize import SubwordKind, SubwordSettings
from seq2seq_core.errors import BundleError, UserError
from seq2seq_core.tokenization.sampled_texts import sample_texts
from seq2seq_core.tokenization.special_tokens import BOS_ID, EOS_ID, PAD_ID, UNK_ID
from seq2seq_core.tokenization.subword import SubwordModel, train_subword

KINDS = get_args(SubwordKind)
AWKWARD = [
    "two  spaces", " leading", "trailing ", "   ", "tab\there", "a\nb\rc", "zero\x00byte", "blocks ▁ and ▅ ▁▁",
    "<s> </s> <pad> <unk>", "e\u0301 \u00e9 \u00a0 \u3000", "日本語と、中文。", "ру́сский", "😀👍🏽 \ufeff\u200d\ufffd", "",
    "\U000f5e00\U000f5e01x\U000f5e04", "\x1f",
]  # fmt: skip


def settings(model: str, **values: object) -> SubwordSettings:
    return SubwordSettings.model_validate({"model": model, "vocabulary_size": 400, **values})


@pytest.mark.parametrize("kind", ["unigram", "bpe", "char"])
def test_every_text_survives_the_round_trip(kind: str) -> None:
    model = train_subword([*AWKWARD * 3, "< s > / p a d u n k"], settings(kind))
    assert model.decode(model.encode(AWKWARD)) == AWKWARD


@pytest.mark.parametrize("kind", ["unigram", "bpe", "char"])
def test_random_texts_survive_the_round_trip(kind: str, fresh_random: random.Random) -> None:
    alphabet = [chr(code) for code in (*range(0x20), *range(0x20, 0x7F), 0x2581, 0x2585, 0xF5E00, 0xF5E01, 0xF5E02, 0x1F600)]
    texts = ["".join(fresh_random.choices(alphabet, k=fresh_random.randrange(1, 30))) for _ in range(300)]
    model = train_subword([*texts, *alphabet], settings(kind))
    assert model.decode(model.encode(texts)) == texts


@pytest.mark.parametrize("kind", KINDS)
def test_decomposed_characters_share_their_parts_and_come_back_composed(kind: str, tmp_path: Path) -> None:
    model = train_subword(["가 감 나 남 é e"] * 20, settings(kind, decompose=True))
    model.save(tmp_path / "side.model")
    model = SubwordModel.load(tmp_path / "side.model")
    assert (model.kind, model.decomposes) == (kind, True)
    assert model.encode(["é 감"]) == model.encode([unicodedata.normalize("NFD", "é 감")])
    assert model.decode(model.encode(["é 감"])) == ["é 감"]


def test_a_syllable_that_train_never_had_is_spelt_by_its_letters() -> None:
    composed, decomposed = (train_subword(["가 남 겨"], settings("char", decompose=decompose)) for decompose in (False, True))
    (unknown,), (ids,) = composed.encode(["감"]), decomposed.encode(["감"])
    assert unknown == [UNK_ID]
    assert len(ids) == 3
    assert decomposed.decode([ids]) == ["감"]


def test_symbols_are_never_split_and_come_back_with_single_spaces() -> None:
    model = train_subword(["t͡ʃ aː  n", "▁ <s> aː"], settings("symbols"))
    (ids,) = model.encode(["  aː   t͡ʃ ▁ <s> "])
    assert len(ids) == 4
    assert UNK_ID not in ids
    assert model.decode([ids]) == ["aː t͡ʃ ▁ <s>"]
    assert model.pieces(ids) == ["aː", "t͡ʃ", "▁", "<s>"]


def test_each_unknown_symbol_is_one_unknown_id() -> None:
    model = train_subword(["a b c"], settings("symbols"))
    (ids,) = model.encode(["x y a z"])
    assert [id_ == UNK_ID for id_ in ids] == [True, True, False, True]
    assert model.decode([ids]) == ["⁇ ⁇ a ⁇"]


@pytest.mark.parametrize("kind", KINDS)
def test_special_ids_are_fixed_and_never_come_from_text(kind: str) -> None:
    model = train_subword(["<pad> <unk> <s> </s> pad unk", "a b"], settings(kind))
    ids = {id_ for row in model.encode(["<pad> <unk> <s> </s>"]) for id_ in row}
    assert not ids & {PAD_ID, UNK_ID, BOS_ID, EOS_ID}
    assert model.decode([[BOS_ID, *model.encode(["a b"])[0], EOS_ID, PAD_ID]]) == ["a b"]


def test_an_unknown_character_is_shown_without_added_spaces() -> None:
    model = train_subword(["abc abd"], settings("char"))
    assert model.decode(model.encode(["aéb"])) == ["a⁇b"]


def test_a_character_in_bytes_survives_where_train_has_never_seen_it() -> None:
    model = train_subword(["abc abd"], settings("bpe", byte_fallback=True))
    assert model.decode(model.encode(["abé日"])) == ["abé日"]


def test_a_lone_surrogate_becomes_the_replacement_character() -> None:
    model = train_subword(["a\ufffdb"], settings("char"))
    assert model.decode(model.encode(["a\ud800b"])) == ["a\ufffdb"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_texts_make_the_same_bytes_in_another_process(kind: str, tmp_path: Path) -> None:
    texts = [f"wort {n} und {n * 7} mehr" for n in range(200)]
    program = (
        "import sys; from pathlib import Path\n"
        "from seq2seq_core.config.tokenize import SubwordKind, SubwordSettings\n"
        "from seq2seq_core.tokenization.subword import train_subword\n"
        "texts = [f'wort {n} und {n * 7} mehr' for n in range(200)]\n"
        f"train_subword(texts, SubwordSettings(model={kind!r}, vocabulary_size=400)).save(Path(sys.argv[1]))\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "other.model")], check=True, cwd=tmp_path)
    model = train_subword(texts, settings(kind))
    assert model.proto == (tmp_path / "other.model").read_bytes()
    assert str(tmp_path).encode() not in model.proto


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_vocabulary_too_large_for_the_corpus_is_lowered_with_a_warning(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        model = train_subword(["low lower lowest", "new newer"], settings(kind, vocabulary_size=9000), "tokenize.source")
    assert model.vocabulary_size < 100
    expected = f"tokenize.source.vocabulary_size: the corpus cannot fill 9000 entries; lowered to {model.vocabulary_size}"
    assert [record.getMessage() for record in caplog.records] == [expected]


@pytest.mark.parametrize("kind", ["char", "symbols"])
def test_for_characters_and_symbols_the_size_is_only_a_bound(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    assert train_subword(["a b c d"], settings(kind, vocabulary_size=9000)).vocabulary_size < 20
    assert not caplog.records
    assert train_subword(["a b c d e f g h"], settings(kind, vocabulary_size=8)).vocabulary_size == 8


def test_a_vocabulary_too_small_for_the_characters_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        train_subword([string.ascii_letters], settings("bpe", vocabulary_size=20), "tokenize.target")
    assert str(caught.value) == (
        "tokenize.target.vocabulary_size: must be at least 57 to hold each character of train and 4 special entries, got 20; "
        "a tokenize.target.character_coverage below 1 needs fewer"
    )


def test_the_stated_smallest_vocabulary_is_accepted() -> None:
    assert train_subword([string.ascii_letters], settings("bpe", vocabulary_size=57)).vocabulary_size == 57


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("texts", [[], ["", "  ", "\t"]])
def test_texts_without_any_text_are_refused(kind: str, texts: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        train_subword(texts, settings(kind), "tokenize.source")
    assert (
        str(caught.value) == "tokenize.source: train has no text to make a vocabulary from, expected at least one that is not empty"
    )


def test_very_long_texts_are_not_skipped() -> None:
    model = train_subword(["b" + "a" * 20_000 + "c"], settings("char"))
    assert UNK_ID not in model.encode(["abc"])[0]


def test_a_saved_model_knows_its_kind(tmp_path: Path) -> None:
    for kind in KINDS:
        train_subword(["a b"], settings(kind)).save(tmp_path / "x.model")
        assert SubwordModel.load(tmp_path / "x.model").kind == kind


def test_a_missing_model_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError) as caught:
        SubwordModel.load(tmp_path / "x.model")
    assert str(caught.value) == f"{tmp_path}/x.model: no such file; expected a subword model that `s2s tokenize` made"


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.model").write_bytes(b"\xff\x01not a model")
    with pytest.raises(
        BundleError, match=r"x\.model: not a SentencePiece model \(.*\); expected a subword model that `s2s tokenize` made"
    ):
        SubwordModel.load(tmp_path / "x.model")


def test_no_texts_give_no_ids_and_no_ids_no_texts() -> None:
    for kind in KINDS:
        model = train_subword(["a b"], settings(kind))
        assert model.encode([]) == []
        assert model.decode([]) == []
        assert model.encode([""]) == [[]]
        assert model.decode([[]]) == [""]


def test_a_sample_is_fixed_in_order_and_of_the_asked_size() -> None:
    texts = [str(n) for n in range(1000)]
    sample = sample_texts(texts, 50)
    assert len(sample) == 50
    assert sample == sorted(sample, key=int)
    assert sample == sample_texts(iter(texts), 50)
    assert int(sample[-1]) > 500
    assert sample_texts(texts, 0) == texts
    assert sample_texts(texts, 5000) == texts


@pytest.mark.parametrize("kind", ["char", "symbols"])
def test_bytes_are_refused_where_there_are_no_subwords(kind: str) -> None:
    with pytest.raises(ValueError, match=f"byte_fallback must be false with model '{kind}', got true"):
        settings(kind, byte_fallback=True)
