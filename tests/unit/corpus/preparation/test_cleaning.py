from __future__ import annotations

import pytest

from seq2seq_core.config.prepare import PrepareSection
from seq2seq_core.corpus.cleaning import cleaning_rules


@pytest.mark.parametrize(
    ("settings", "pair", "rule"),
    [
        ({"drop_control_characters": True}, ("a\x9d", "b"), "drop_control_characters"),
        ({"drop_control_characters": True}, ("a", "\ufffd"), "drop_control_characters"),
        ({}, ("a\x9d", "b"), None),
        ({"drop_copies": True}, ("same", "same"), "drop_copies"),
        ({}, ("same", "same"), None),
        ({}, ("", "b"), "min_characters"),
        ({}, ("a", ""), "min_characters"),
        ({"min_characters": 0}, ("", ""), None),
        ({"max_characters": 3}, ("abcd", "b"), "max_characters"),
        ({"max_characters": 3}, ("abc", "bbb"), None),
        ({"max_length_ratio": 2.0}, ("a", "bbb"), "max_length_ratio"),
        ({"max_length_ratio": 2.0}, ("aaa", "b"), "max_length_ratio"),
        ({"max_length_ratio": 2.0}, ("a", "bb"), None),
        ({"max_length_ratio": 2.0, "min_characters": 0}, ("", "b"), "max_length_ratio"),
        ({}, ("a", "b" * 5000), None),
        ({"drop_other_languages": {"target": "de"}}, ("le chat est là", "Le chat est assis sur la table."), "drop_other_languages"),
        (
            {"drop_other_languages": {"source": "eng", "target": "de"}},
            ("The cat sits on the table.", "Die Katze sitzt dort."),
            None,
        ),
        ({"drop_other_languages": {"source": "en"}}, ("Paris 2024", "Paris 2024"), None),
        ({}, ("le chat", "Le chat est assis sur la table."), None),
    ],
)
def test_a_pair_is_dropped_by_the_rule_it_breaks(settings: dict[str, object], pair: tuple[str, str], rule: str | None) -> None:
    rules = cleaning_rules(PrepareSection.model_validate(settings))
    assert next((name for name, drops in rules.items() if drops(*pair)), None) == rule


def test_rules_are_fields_of_the_section_in_their_order() -> None:
    section = PrepareSection(drop_control_characters=True, drop_copies=True, max_length_ratio=2.0)
    names = list(cleaning_rules(section))
    assert names == [name for name in PrepareSection.model_fields if name in names]
    assert len(names) == 5
