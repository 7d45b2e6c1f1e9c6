from __future__ import annotations

from collections.abc import Callable

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.registry.outlook import foresee
from seq2seq_core.registry.receipts import write_receipt
from seq2seq_core.registry.registration import register_bundle

pytestmark = pytest.mark.usefixtures("light_registration")


@pytest.mark.proof
def test_the_outlook_counts_the_comparisons_and_takes_the_spread_of_the_last_one(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]
) -> None:
    assert foresee(tracked_settings, tracked_paths) is None
    sentences, gains = [], []
    for seed, right in ((1, 0.5), (2, 0.75), (3, 0.775)):
        make_bundle(tracked_paths, seed, right)
        outlook = foresee(tracked_settings, tracked_paths)
        assert outlook is not None
        assert outlook.look == seed
        sentences.append(outlook.sentence)
        gains.append(outlook.smallest_gain)
        write_receipt(register_bundle(tracked_settings, tracked_paths).receipt, tracked_paths)
    assert sentences[0] == (
        f"Once there is a champion, the test set of 40 rows can tell it from a model that is better by {gains[0]:.3g} "
        "exact_match or more (80% chance); for smaller gains enlarge the test set (docs/gate.md)."
    )
    assert sentences[1].startswith("Comparison 2 on this test set of 40 rows proves a gain of ")
    assert "measured" in sentences[2]
    assert gains[2] != gains[1]
    make_bundle(tracked_paths, 3, 0.775, test_rows=38)  # another test set, whose looks only the registry knows to be the same
    outlook = foresee(tracked_settings, tracked_paths)
    assert outlook is not None
    assert outlook.look == 1
