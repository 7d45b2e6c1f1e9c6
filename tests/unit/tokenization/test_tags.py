from __future__ import annotations

import re
from typing import get_args

import pytest

from seq2seq_core.config.tokenize import SubwordKind, SubwordSettings, TokenizeSection
from seq2seq_core.errors import TagError
from seq2seq_core.normal_form import NormalForm
from seq2seq_core.tokenization.special_tokens import NUM_SPECIAL, UNK_ID
from seq2seq_core.tokenization.subword import TAG, SubwordModel, train_subword
from seq2seq_core.tokenization.tags import Tags, collect_tags, count_leading_tags, split_values

KINDS = get_args(SubwordKind)
TEXTS = ["low lower lowest", "new newer newest", "= ; < > d e"] * 3
TAGS = [("language", "de"), ("language", "a,b"), ("language", 'q"▁ =x'), ("features", "PST")]


def make_model(kind: str, tags: list[tuple[str, str]] = TAGS, size: int = 40) -> SubwordModel:
    return train_subword(TEXTS, SubwordSettings.model_validate({"model": kind, "vocabulary_size": size}), tags=tags)


@pytest.mark.parametrize("kind", KINDS)
def test_each_tag_is_one_symbol_that_no_text_gives_and_no_decoding_shows(kind: str) -> None:
    model = make_model(kind)
    assert model.tags == {tag: NUM_SPECIAL + place for place, tag in enumerate(TAGS)}
    names = [f"{TAG}{column}={value}" for column, value in TAGS]
    assert not set(model.tag_ids).intersection(id_ for row in model.encode([*TEXTS, *names, "<de>"]) for id_ in row)
    (ids,) = model.encode(["low newer"])
    assert model.decode([[*model.tag_ids, *ids]]) == ["low newer"]
    assert model.pieces([*model.tag_ids])[:2] == ["<de>", "<a,b>"]
    assert SubwordModel(model.proto).tags == model.tags


@pytest.mark.parametrize("kind", KINDS)
def test_tags_come_on_top_of_the_vocabulary_and_change_nothing_else_of_it(kind: str) -> None:
    plain, tagged = make_model(kind, []), make_model(kind)
    assert tagged.vocabulary_size == plain.vocabulary_size + len(TAGS)
    first = NUM_SPECIAL + len(TAGS)
    assert tagged.pieces(range(first, tagged.vocabulary_size)) == plain.pieces(range(NUM_SPECIAL, plain.vocabulary_size))
    assert plain.tags == {}
    assert len(plain.tag_ids) == 0


def test_the_ids_follow_the_columns_and_the_values_of_a_column() -> None:
    model = make_model("char", [("language", "de"), ("features", "3"), ("features", "PST"), ("features", "V")])
    tags = Tags(["features", "language"], model)
    assert tags.ids({"source": "x", "features": "V; PST;;3", "language": "de"}) == [7, 6, 5, 4]
    assert tags.ids({"features": "", "language": "de"}) == [4]
    assert Tags(["features"], model, separator="|").ids({"features": "V|PST"}) == [7, 6]
    assert Tags([], model).ids({}) == []
    assert tags.known_values("features") == ["3", "PST", "V"]


def test_values_are_collected_and_asked_for_in_the_normal_form() -> None:
    form = NormalForm(unicode_normalization="NFKC", whitespace="collapse")
    rows = [{"style": "e\u0301s;\uff44\uff45"}, {"style": "\u00e9s; a\u00a0 b "}]
    assert collect_tags(rows, ["style"], ";", form) == [("style", "a b"), ("style", "de"), ("style", "\u00e9s")]
    assert len(collect_tags(rows, ["style"], ";")) == 4
    tags = Tags(["style"], make_model("char", collect_tags(rows, ["style"], ";", form)), normal_form=form)
    for row in rows:
        assert tags.ids(row) == tags.ids({"style": ";".join(split_values(row["style"], ";", form))})
    assert split_values("a\uff1bb", ";", form) == split_values("a;b", ";", form) == ["a", "b"]


def test_a_missing_or_unknown_tag_is_told_with_the_known_values() -> None:
    tags = Tags(["language"], make_model("char", [("language", "de"), ("language", "en"), ("other", "fr")]))
    with pytest.raises(TagError, match=r"^tag 'language': must be given, one of 'de', 'en'; got nothing$"):
        tags.ids({"Language": "de"})
    with pytest.raises(TagError, match=r"^tag 'language': must be one of 'de', 'en'; got 'fr'$"):
        tags.ids({"language": "de;fr"})
    many = Tags(["n"], make_model("char", [("n", f"{number:02}") for number in range(60)]))
    with pytest.raises(TagError, match=r"'49' and 10 more; got 'x'$"):
        many.ids({"n": "x"})


def test_an_unknown_value_may_be_ignored_with_a_warning_but_a_missing_column_may_not(caplog: pytest.LogCaptureFixture) -> None:
    tags = Tags(["language"], make_model("char", [("language", "de")]), unknown="ignore")
    assert tags.ids({"language": "fr;de"}) == [4]
    assert tags.ids({"language": "fr;en"}) == []
    tags.warn_of_ignored("test")
    tags.warn_of_ignored("test")
    told = "test: 3 values of tags are unknown to the model and left out (tokenize.unknown_tags), most often language 'fr'"
    assert [record.getMessage() for record in caplog.records] == [told]
    with pytest.raises(TagError, match="must be given"):
        tags.ids({})


def test_the_tags_of_train_are_collected_in_an_order_of_their_own() -> None:
    rows = [{"b": "2;1", "a": "z"}, {"b": "1; 3", "a": ""}, {"a": "y"}]
    assert collect_tags(rows, ["b", "a"], ";") == [("b", "1"), ("b", "2"), ("b", "3"), ("a", "y"), ("a", "z")]
    assert split_values(" ; V ;;PST", ";") == ["V", "PST"]


def test_only_the_tags_in_front_are_counted() -> None:
    model = make_model("char")
    assert [count_leading_tags(ids, model) for ids in ([4, 5, 20, 4], [20, 4], [UNK_ID], [], [4, 4])] == [2, 0, 0, 0, 2]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"source_tags": ["a", "a"]}, "source_tags must be different from one another, got ['a', 'a']"),
        ({"target_tags": ["a=b"]}, "target_tags must be names of columns other than source and target, without '=', got 'a=b'"),
        (
            {"source_tags": ["target"]},
            "source_tags must be names of columns other than source and target, without '=', got 'target'",
        ),
    ],
)
def test_columns_that_cannot_be_tags_are_refused(fields: dict[str, list[str]], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        TokenizeSection.model_validate(fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_source_tokens": 1}, "max_source_tokens must be at least 2: the end mark counts; got 1"),
        (
            {"max_source_tokens": 2, "source_tags": ["a"]},
            "must be at least 3: the end mark and 1 tag count; got 2",
        ),
        ({"max_target_tokens": 1}, "greater than or equal to 2"),
    ],
)
def test_limits_in_which_no_text_fits_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        TokenizeSection.model_validate(fields)
    assert TokenizeSection.model_validate({"max_source_tokens": 1, "image": {}}).max_source_tokens == 1
