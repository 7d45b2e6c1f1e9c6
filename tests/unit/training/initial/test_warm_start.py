from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor

from seq2seq_core.batching.batch import Source
from seq2seq_core.bundle.bundle import Bundle
from seq2seq_core.bundle.config_file import BundleConfig
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.errors import UserError
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.tokenization.special_tokens import BOS_ID, NUM_SPECIAL
from seq2seq_core.tokenization.subword import SubwordModel, train_subword
from seq2seq_core.training.initial.warm_start import VocabularyMatch, architecture_differences, begin_from

OLD_TEXTS, NEW_TEXTS = ["abcd", "dcba"], ["dceaf", "fx"]
TAGS = [("language", "de"), ("language", "en")]


def make_vocabulary(texts: list[str], tags: list[tuple[str, str]] | None = None) -> SubwordModel:
    return train_subword(texts, SubwordSettings(model="char", vocabulary_size=64), tags=tags or [])


def make_bundle(section: dict[str, Any], source: SubwordModel | None, target: SubwordModel, joint: bool = False) -> Bundle:
    model = ModelSection.model_validate({"width": 8, "heads": 2, "feedforward_width": 8, "dropout": 0.0} | section)
    config = BundleConfig(
        model=model, source_vocabulary_size=0 if source is None else source.vocabulary_size,
        target_vocabulary_size=target.vocabulary_size, joint=joint, frame_width=0 if source else 3,
    )  # fmt: skip
    sizes = (config.source_vocabulary_size, config.target_vocabulary_size)
    built = build_model(model, *sizes, joint, frame_width=config.frame_width).eval()
    torch.nn.init.normal_(built.output.bias)
    return Bundle(built, source, target, config, {}, torch.device("cpu"))


def begin(new: Bundle, old: Bundle) -> Seq2Seq:
    begin_from(new.only_model, new.config, new.source_tokenizer, new.target_tokenizer, old, "models/base")
    return new.only_model


def logits(bundle: Bundle, source: str, target: str) -> Tensor:
    assert bundle.source_tokenizer is not None
    (source_ids,), (target_ids,) = bundle.source_tokenizer.encode([source]), bundle.target_tokenizer.encode([target])
    values_BS = torch.tensor([source_ids])
    logits_BTV: Tensor = bundle.model(Source(values_BS, torch.tensor([len(source_ids)])), torch.tensor([[BOS_ID, *target_ids]]))
    return logits_BTV


def test_rows_go_by_the_text_of_their_pieces_and_new_ones_stay() -> None:
    old, new = make_vocabulary(OLD_TEXTS), make_vocabulary(NEW_TEXTS)
    rows_WD, fresh_VD = torch.randn(old.vocabulary_size, 3), torch.randn(new.vocabulary_size, 3)
    rows_VD = VocabularyMatch(new, old).transfer(rows_WD, fresh_VD)
    where = {piece: id_ for id_, piece in enumerate(old.stored_pieces())}
    assert torch.equal(rows_VD[:NUM_SPECIAL], rows_WD[:NUM_SPECIAL])
    known = [piece for piece in new.stored_pieces()[NUM_SPECIAL:] if piece in where]
    assert sorted(known) == ["a", "c", "d"]
    for id_, piece in list(enumerate(new.stored_pieces()))[NUM_SPECIAL:]:
        assert torch.equal(rows_VD[id_], rows_WD[where[piece]] if piece in where else fresh_VD[id_])
    assert VocabularyMatch(new, old).describe() == "3 pieces keep their weights, 3 are new, 1 are gone"


def test_tags_go_by_column_and_value() -> None:
    old, new = make_vocabulary(OLD_TEXTS, TAGS), make_vocabulary(["abcde"], [("language", "aa"), TAGS[1]])
    rows_W, fresh_V = torch.randn(old.vocabulary_size), torch.randn(new.vocabulary_size)  # a bias: a number for each entry
    rows_V = VocabularyMatch(new, old).transfer(rows_W, fresh_V)
    assert new.tags["language", "en"] != new.tags["language", "aa"]
    assert rows_V[new.tags["language", "en"]] == rows_W[old.tags["language", "en"]]
    assert rows_V[new.tags["language", "aa"]] == fresh_V[new.tags["language", "aa"]]


@pytest.mark.parametrize("tie", ["none", "target", "all"])
@pytest.mark.parametrize("kind", ["gru", "transformer"])
def test_what_both_vocabularies_hold_is_computed_as_before(kind: str, tie: str) -> None:
    old_vocabulary, new_vocabulary = make_vocabulary(OLD_TEXTS), make_vocabulary(["dceaf", "fxb"])
    section = {"architecture": kind, "tie_embeddings": tie}
    old = make_bundle(section, old_vocabulary, old_vocabulary, joint=True)
    new = make_bundle(section | {"dropout": 0.3}, new_vocabulary, new_vocabulary, joint=True)
    begin(new, old)
    match = VocabularyMatch(new_vocabulary, old_vocabulary).old_ids_V
    is_known_V = match.ge(0)
    before, after = (logits(bundle, "abcd", "dbca") for bundle in (old, new))
    torch.testing.assert_close(after[..., is_known_V], before[..., match[is_known_V]])


def test_source_and_target_are_matched_separately() -> None:
    letters, digits = make_vocabulary(OLD_TEXTS), make_vocabulary(["0123"])
    old = make_bundle({}, letters, digits)
    new = make_bundle({}, make_vocabulary(["dcba", "b"]), make_vocabulary(["32104"]))
    begin(new, old)
    assert new.source_tokenizer is not None
    before, after = logits(old, "abcd", "012"), logits(new, "abcd", "012")
    match = VocabularyMatch(new.target_tokenizer, digits).old_ids_V
    torch.testing.assert_close(after[..., match.ge(0)], before[..., match[match.ge(0)]])


def test_frames_have_no_source_vocabulary() -> None:
    target = make_vocabulary(OLD_TEXTS)
    old, new = make_bundle({}, None, target), make_bundle({}, None, target)
    begin(new, old)
    assert all(torch.equal(value, old.model.state_dict()[name]) for name, value in new.model.state_dict().items())


def test_every_difference_of_the_architectures_is_listed_and_nothing_is_changed() -> None:
    vocabulary = make_vocabulary(OLD_TEXTS)
    old = make_bundle({"architecture": "lstm", "attention": "dot"}, vocabulary, vocabulary)
    new = make_bundle({"architecture": "lstm", "width": 16, "encoder_layers": 2}, vocabulary, vocabulary)
    before = {name: value.clone() for name, value in new.model.state_dict().items()}
    message = (
        "train.initial_weights: the model in models/base is not the one that these settings describe:\n"
        "  model.width: must be 8 as there, got 16\n"
        "  model.encoder_layers: must be 1 as there, got 2\n"
        "  model.attention: must be 'dot' as there, got 'additive'"
    )
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        begin(new, old)
    assert all(torch.equal(value, before[name]) for name, value in new.model.state_dict().items())


@pytest.mark.parametrize(
    ("ours", "theirs", "faults"),
    [
        ({"dropout": 0.4, "heads": 4}, {"dropout": 0.1}, []),  # a GRU with additive attention has no heads
        ({"architecture": "lstm"}, {"encoder": "lstm", "decoder": "lstm"}, []),
        ({"architecture": "transformer", "heads": 4}, {"architecture": "transformer"},
         ["model.heads: must be 2 as there, got 4"]),
        ({"architecture": "transformer", "max_positions": 9}, {"architecture": "transformer"}, []),
        ({"architecture": "transformer", "max_positions": 9, "positions": "learned"},
         {"architecture": "transformer", "positions": "learned"}, ["model.max_positions: must be 1024 as there, got 9"]),
        ({"encoder": "transformer"}, {}, ["model.encoder: must be 'gru' as there, got 'transformer'"]),
    ],
)  # fmt: skip
def test_only_settings_with_an_effect_count(ours: dict[str, Any], theirs: dict[str, Any], faults: list[str]) -> None:
    vocabulary = make_vocabulary(OLD_TEXTS)
    new, old = (make_bundle(section, vocabulary, vocabulary) for section in (ours, theirs))
    assert architecture_differences(new.config, old.config) == faults


def test_frames_and_ids_do_not_fit() -> None:
    vocabulary = make_vocabulary(OLD_TEXTS)
    text, frames = make_bundle({}, vocabulary, vocabulary), make_bundle({}, None, vocabulary)
    assert architecture_differences(text.config, frames.config) == ["sources: must be frames of 3 features as there, got ids"]
