from __future__ import annotations

import math
from typing import Any

import pytest

from seq2seq_core.config.register import RegisterSection
from seq2seq_core.registry.promotion import Champion, decide

RIVAL = Champion("3", 0.8)


def gate(**fields: Any) -> RegisterSection:
    return RegisterSection(model_name="dates", **fields)


@pytest.mark.parametrize(
    ("score", "champion", "settings", "alias", "reason"),
    [
        (0.5, None, {}, "champion", "there was no champion; exact_match 0.5"),
        (0.9, RIVAL, {}, "champion", "better than the champion: exact_match 0.9 against 0.8 of version 3"),
        (0.8, RIVAL, {}, "challenger", "no better than the champion: exact_match 0.8 against 0.8 of version 3"),
        (0.7, RIVAL, {}, "challenger", "no better than the champion: exact_match 0.7 against 0.8 of version 3"),
        (
            0.9, RIVAL, {"minimum_gain": 0.1}, "champion",
            "better than the champion: exact_match 0.9 against 0.8 of version 3",
        ),
        (
            0.89, RIVAL, {"minimum_gain": 0.1}, "challenger",
            "its gain is below register.minimum_gain (0.1): exact_match 0.89 against 0.8 of version 3",
        ),
        (0.5, None, {"minimum_score": 0.6}, "challenger", "exact_match 0.5 misses register.minimum_score (at least 0.6)"),
        (0.6, None, {"minimum_score": 0.6}, "champion", "there was no champion; exact_match 0.6"),
        (0.2, RIVAL, {"metric": "cer"}, "champion", "better than the champion: cer 0.2 against 0.8 of version 3"),
        (0.9, RIVAL, {"metric": "cer"}, "challenger", "no better than the champion: cer 0.9 against 0.8 of version 3"),
        (
            0.2, None, {"metric": "wer", "minimum_score": 0.1}, "challenger",
            "wer 0.2 misses register.minimum_score (at most 0.1)",
        ),
        (math.nan, None, {}, "challenger", "exact_match is not a number"),
        (
            0.9, Champion("3", None, "it holds no bundle"), {}, "challenger",
            "version 3, the champion, cannot be compared with: it holds no bundle",
        ),
        (0.1, Champion("7", 0.1), {"minimum_score": 0.9}, "champion", "it is the champion already"),
    ],
)  # fmt: skip
def test_a_version_has_to_beat_the_champion(
    score: float, champion: Champion | None, settings: dict[str, object], alias: str, reason: str
) -> None:
    decision = decide("7", score, champion, gate(**settings))
    assert (decision.alias, decision.reason) == (alias, reason)


def test_a_score_on_a_part_of_the_test_set_never_makes_a_champion() -> None:
    decision = decide("1", 1.0, None, gate(), test_limit=100)
    assert decision.alias == "challenger"
    assert decision.reason == "only the first 100 rows of the test set were scored (evaluate.test_limit)"


@pytest.mark.parametrize("name", ["a/b", "a:b", "a b", "a'b", ""])
def test_a_model_name_that_would_break_an_address_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="model_name"):
        gate().model_validate({"model_name": name})
