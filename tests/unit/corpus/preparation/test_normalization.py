from __future__ import annotations

import random

import pytest

from seq2seq_core.corpus.normalization import digest, normalize_exactly, normalize_nearly


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Two dogs run.", "two dogs run"),
        ("don't stop", "Don’t stop!"),
        ("a well-known  man", "a well known man"),
        ("你 好 。", "你好"),
        ("ｆｕｌｌ", "full"),
        ("cafe\u0301", "café"),
        ("STRASSE", "Straße"),
        ("1,000 men", "1 000 men"),
    ],
)
def test_near_duplicates_have_one_form(one: str, other: str) -> None:
    assert normalize_nearly(one) == normalize_nearly(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("1/12/2025", "11/2/2025"), ("3.14", "314"), ("a+b", "a-b"), ("!!!", "???"), ("कि", "की"), ("two dogs", "two dog")],
)
def test_different_texts_have_different_near_forms(one: str, other: str) -> None:
    assert normalize_nearly(one) != normalize_nearly(other)


def test_the_exact_form_ignores_only_white_space_and_composition() -> None:
    assert normalize_exactly(" cafe\u0301\u3000 noir\t") == "café noir"
    assert normalize_exactly("Noir.") != normalize_exactly("noir")


def test_equal_exact_forms_mean_equal_near_forms(fresh_seed: int) -> None:
    generator = random.Random(fresh_seed)
    for _ in range(300):
        text = "".join(generator.choices("aAß1 2.,-é\u0301\u00a0ﬁ你", k=generator.randrange(12)))
        assert normalize_nearly(text) == normalize_nearly(normalize_exactly(text))


def test_digests_tell_the_parts_of_a_pair_apart() -> None:
    assert digest("ab", "c") != digest("a", "bc")


def test_digests_are_the_same_in_every_process() -> None:
    """Splits rest on them: a change here moves pairs between train and test."""
    assert digest("salt", "größe") == 0xAF42EF32030BE5C8
