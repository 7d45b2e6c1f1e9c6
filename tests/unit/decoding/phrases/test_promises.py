"""Every forced phrase is in the text, no forbidden one is, and what is not asked for changes nothing."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from seq2seq_core.decoding.phrases import phrase_room
from seq2seq_core.decoding.phrases.phrase_matcher import phrases_in
from seq2seq_core.decoding.phrases.row_phrases import RowPhrases
from seq2seq_core.decoding.phrases.wanted_phrases import PhraseError, Phrases
from seq2seq_core.decoding.prediction import Prediction, TextHypothesis
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import DecodingStopped

from .conftest import TEXTS

Make = Callable[..., Predictor]
WORDS_OF_SYMBOLS = sorted({word for text in TEXTS for word in text.split() if word.isalpha()} - {"cat", "dog"})
SEARCHES: list[dict[str, Any]] = [
    {"beam_size": 1},
    {"beam_size": 4, "num_hypotheses": 3},
    {"beam_size": 5, "no_repeat_ngram_size": 1, "min_length": 4},
    {"beam_size": 3, "max_length": 24},
]
FORBIDDING = [*SEARCHES, {"method": "sampling", "num_hypotheses": 4}, {"beam_size": 6, "diversity_groups": 3, "num_hypotheses": 3}]
WANTED = [
    Phrases(force=("hot dog",)), Phrases(), Phrases(force=("cat", "New York", "mat")), Phrases(forbid=("the", "cat", "a", "dog")),
    Phrases(force=("dog",), forbid=("hot dog", "dogs", "sat")), Phrases(force=("cat", "dog"), forbid=("cat dog", "the")), Phrases(),
]  # fmt: skip
SOURCES = ["the cat", "a dog sat", "hot dogs and cats in New York", "mat", "the hat of the cat", "cat cat", "42 dogs"]


def check(predictions: Sequence[Prediction], wanted: Sequence[Phrases], sources: Sequence[str]) -> None:
    for prediction, phrases, source in zip(predictions, wanted, sources, strict=True):
        for one in prediction.hypotheses if source else ():
            assert phrases_in(one.text, phrases.force) == list(phrases.force), one.text
            assert phrases_in(one.text, phrases.forbid) == [], one.text


def mix(count: int, items: Sequence[Any]) -> list[Any]:
    return [items[place % len(items)] for place in range(count)]


@pytest.mark.parametrize("search", SEARCHES, ids=str)
@pytest.mark.parametrize(
    ("architecture", "kind"),
    [
        ("gru", "unigram"),
        ("transformer", "bpe"),
        *(
            pytest.param(*case, marks=pytest.mark.proof)
            for case in (("lstm", "bytes"), ("transformer", "char"), ("gru", "decomposed"))
        ),
    ],
)
def test_random_weights_keep_the_promises(make_predictor: Make, architecture: str, kind: str, search: dict[str, Any]) -> None:
    predictor = make_predictor(architecture, kind)
    options = predictor.options.override(**{"max_length_offset": 8, "max_length_ratio": 1.0} | search)
    if kind in ("char", "decomposed") and options.max_length:
        options = options.override(max_length=60)
    plain = predictor.predict([SOURCES[1], SOURCES[6]], options)
    for count in (1, 7):
        wanted, sources = mix(count, WANTED), mix(count, SOURCES)
        found = predictor.predict(sources, options, phrases=wanted)
        check(found, wanted, sources)
        assert count == 1 or [found[1], found[6]] == plain  # scores too, to the last bit


@pytest.mark.parametrize("search", FORBIDDING, ids=str)
@pytest.mark.parametrize(
    ("architecture", "kind"), [("gru", "bytes"), ("transformer", "unigram"), pytest.param("lstm", "char", marks=pytest.mark.proof)]
)
def test_random_weights_never_say_what_is_forbidden(
    make_predictor: Make, architecture: str, kind: str, search: dict[str, Any], fresh_random: random.Random
) -> None:
    predictor = make_predictor(architecture, kind)
    options = predictor.options.override(**{"max_length_offset": 8, "max_length_ratio": 1.0} | search)
    plain = predictor.predict(SOURCES, options)
    said = sorted({word for one in plain for two in one.hypotheses for word in two.text.split()})
    if not said:
        pytest.skip("these random weights say nothing")
    wanted = [Phrases(forbid=tuple(fresh_random.sample(said, min(len(said), 8)))) for _ in SOURCES]
    found = predictor.predict(SOURCES, options, phrases=wanted)
    check(found, wanted, SOURCES)
    assert found != plain


def test_a_trained_model_keeps_the_promises_in_batches_of_every_size(trained: Predictor) -> None:
    chance = random.Random(3)
    words = ["".join(chance.choices("abcdé", k=chance.randint(1, 6))) for _ in range(64)]
    kinds = [Phrases(), Phrases(force=("É É",)), Phrases(forbid=("A", "C D")), Phrases(force=("B A", "D"), forbid=("A B", "É"))]
    wanted = mix(64, kinds)
    for search in ({"beam_size": 1}, {"beam_size": 5, "num_hypotheses": 2}):
        options = trained.options.override(**search)
        plain = trained.predict(words[::4], options, batch_sentences=64)
        together = trained.predict(words, options, batch_sentences=64, phrases=wanted)
        check(together, wanted, words)
        assert together[::4] == plain
        for size in (1, 7):
            apart = trained.predict(words[:21], options, batch_sentences=size, phrases=wanted[:21])
            assert [one.text for one in apart] == [one.text for one in together[:21]]


def test_a_forced_symbol_comes_where_the_model_would_rather_have_it(trained: Predictor) -> None:
    options = trained.options.override(beam_size=5)
    assert trained.predict("abcd", options).text == "D C B A"
    assert trained.predict("abcd", options, phrases=Phrases(force=("C B",))).text == "D C B A"
    changed = trained.predict("abcd", options, phrases=Phrases(force=("É",))).text.split()
    assert "É" in changed
    assert [symbol for symbol in changed if symbol != "É"] in (
        ["D", "C", "B", "A"],
        ["D", "C", "B"],
        ["C", "B", "A"],
        ["D", "C", "A"],
        ["D", "B", "A"],
    )


def test_a_forced_phrase_is_found_by_the_likeliest_way_among_short_texts(make_predictor: Make) -> None:
    """Against all texts of up to three symbols; a beam that holds them all must find the best."""
    predictor = make_predictor("transformer", "symbols")
    tokenizer, options = (
        predictor.bundle.target_tokenizer,
        predictor.options.override(beam_size=200, max_length=3, length_penalty=0.0),
    )
    wide = options.override(beam_size=20_000, num_hypotheses=20_000)
    everything = predictor.predict(["the cat"], wide)[0].hypotheses
    assert tokenizer.vocabulary_size < 60
    for force in (("cat",), ("dog", "mat")):
        best = next(one for one in everything if len(phrases_in(one.text, force)) == len(force))
        found = predictor.predict("the cat", options, phrases=Phrases(force=force))
        assert found.text == best.text
        assert found.log_probability == pytest.approx(best.log_probability)


@pytest.mark.parametrize(
    ("kind", "phrases"),
    [
        ("bytes", Phrases(force=("catß", "ß"), forbid=("cat",))),  # spelled by bytes, and no one byte ends the word
        ("char", Phrases(force=("dogs", "hot"), forbid=("dog", "hot dogs", "do"))),
        ("unigram", Phrases(("cat", "dog", "hat"), ("cat dog", "dog cat", "dog hat", "hat dog", "cat hat", "hat cat"))),
        ("decomposed", Phrases(force=("café", "cafe"), forbid=("cafés", "é"))),
        ("bpe", Phrases(force=("New York", "York", "cat"), forbid=("the", "a", "in", "and", "of", "hot"))),
        ("symbols", Phrases(force=("cat sat", "sat mat"), forbid=("sat mat hat",))),
        ("unigram", Phrases(("cat", "dog"), ("cat dog", "dog cat", *",.;:-/"))),  # any word may stand between them
        ("char", Phrases(("cat", "dog"), ("cat dog", "dog cat", *",.;:-/"))),
        ("symbols", Phrases(("cat", "dog"), ("cat dog", "dog cat", *WORDS_OF_SYMBOLS[1:]))),
    ],
    ids=str,
)
def test_phrases_that_leave_little_room_between_them_are_kept(make_predictor: Make, kind: str, phrases: Phrases) -> None:
    predictor = make_predictor("gru", kind)
    for search in ({"beam_size": 1}, {"beam_size": 6, "num_hypotheses": 3}):
        options = predictor.options.override(**search, max_length_ratio=0.1, max_length_offset=1)  # no more than they need
        check(predictor.predict(SOURCES, options, phrases=phrases), [phrases] * len(SOURCES), SOURCES)


def test_the_same_phrases_for_all_and_for_each_are_the_same(trained: Predictor) -> None:
    words = ["abc", "é", ""]
    common = Phrases(force=("D",), forbid=("B",))
    found = trained.predict(words, phrases=common)
    assert found == trained.predict(words, phrases=[common] * 3)
    assert [found[0]] == trained.predict(words[:1], phrases=common)
    assert found[2].text == ""


def test_a_prefix_counts_and_goes_on(trained: Predictor) -> None:
    found = trained.predict(["abc", "abc"], prefixes=["É D", "C"], phrases=Phrases(force=("D",), forbid=("A",)))
    check(found, [Phrases(force=("D",), forbid=("A",))] * 2, ["abc", "abc"])
    assert [one.text[:1] for one in found] == ["É", "C"]


@pytest.mark.parametrize(
    ("phrases", "prefix", "message"),
    [
        (
            Phrases(("cat", "dog"), ("cat dog", "dog cat", *WORDS_OF_SYMBOLS)),
            "",
            "force: no target was found that has 'cat', 'dog' and nothing that is forbidden",
        ),
        (Phrases(forbid=("hot dog",)), "a hot dog sat", "forbid: must not be in the prefix that is forced"),
        (Phrases(("cat", "cats,")), "", "force or glossary: the model's tokeniser cannot spell 'cats,'"),
        (Phrases(("cat " * 40,)), "", "force: must take at most"),
    ],
)
def test_what_no_search_could_keep_is_refused(
    make_predictor: Make, phrases: Phrases, prefix: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phrase_room, "MAX_FORCED_IDS", 20)
    with pytest.raises(PhraseError, match=f"^{re.escape(message)}"):
        make_predictor("gru", "symbols").predict(["the cat"], phrases=phrases, prefixes=[prefix])


@pytest.mark.parametrize("seed", range(3))
def test_a_forbidden_letter_is_not_said_in_any_spelling(make_predictor: Make, seed: int) -> None:
    predictor = make_predictor("gru", "accents")
    options = predictor.options.override(method="sampling", num_hypotheses=100, max_length=3, seed=seed)
    letters = [chr(0x1EC7), "e\u0302\u0323", chr(0x1EB9) + "\u0302", chr(0xEA) + "\u0323"]
    said = predictor.predict(["e"] * 20, options)
    assert any(letter in one.text for row in said for one in row.hypotheses for letter in letters)
    found = predictor.predict(["e"] * 20, options, phrases=Phrases(forbid=(letters[0],)))
    assert not any(letter in one.text for row in found for one in row.hypotheses for letter in letters)


def test_a_text_that_breaks_a_phrase_is_an_error_that_names_it(make_predictor: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = make_predictor("gru", "unigram")
    monkeypatch.setattr(predictor.texts, "read", lambda *_: [TextHypothesis("a dog", 0.0, 0.0)])
    with pytest.raises(PhraseError, match=r"^force: no target was found that keeps to 'cat'$"):
        predictor.predict(["the cat"], phrases=Phrases(force=("cat",)))
    with pytest.raises(PhraseError, match=r"^forbid: no target was found that keeps to 'dog'$"):
        predictor.predict(["the cat"], phrases=Phrases(forbid=("dog",)))


def test_a_stop_is_asked_for_within_a_step(make_predictor: Make) -> None:
    predictor, force = make_predictor("gru", "unigram"), ("cat", "dog", "mat", "hat", "sat", "New York", "café")
    options = predictor.options.override(beam_size=20)
    asked, last = list[int](), 0

    def stop() -> bool:
        asked.append(len(asked))
        return len(asked) == last

    found = predictor.predict(SOURCES, options, phrases=Phrases(force=force), stop=stop)
    num_steps = max(len(one.text) for row in found for one in row.hypotheses) + 2
    assert len(asked) > 2 * num_steps
    asked, last = [], len(asked) // 2
    with pytest.raises(DecodingStopped):
        predictor.predict(SOURCES, options, phrases=Phrases(force=force), stop=stop)
    assert len(asked) == last


def test_a_plan_is_made_for_few_of_the_candidates(make_predictor: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    tried, reached = [0], [0]
    search, reach = RowPhrases._search_plan, RowPhrases.reach

    def count_search(*arguments: Any) -> Any:
        tried[0] += 1
        return search(*arguments)

    def count_reach(*arguments: Any) -> Any:
        reached[0] += 1
        return reach(*arguments)

    monkeypatch.setattr(RowPhrases, "_search_plan", count_search)
    monkeypatch.setattr(RowPhrases, "reach", count_reach)
    force = ("cat", "dog", "mat", "hat", "sat", "New York", "café", "cafe", "dogs", "42")
    make_predictor("gru", "unigram").predict(["the cat"], phrases=Phrases(force=force))
    assert 0 < tried[0] < reached[0] / 4
