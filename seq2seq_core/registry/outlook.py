"""The smallest gain that the test set can prove, said before a model is trained for hours."""

from __future__ import annotations

from dataclasses import replace

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.evaluation.scored_pairs import digest_of_test, read_scored
from seq2seq_core.gate.policy import Outlook, Policy, look_ahead
from seq2seq_core.gate.power import PAIRS, assumed_spread
from seq2seq_core.registry.judgement import policy_of
from seq2seq_core.registry.receipts import Receipt


def foresee(settings: Settings, paths: Paths) -> Outlook | None:
    """What the next comparison on the prepared test set can show; None where there is no such set.

    The last receipt tells how many comparisons were made on the set and how much outputs differ; no registry is asked.

    Args:
        settings: section ``register``, and ``evaluate.references``.
        paths: the workspace; reads the prepared test set and ``reports/registration.json``.
    """
    test, section = paths.prepared_split("test"), settings.register_
    if not test.is_file():
        return None
    num_rows = len(read_scored(test, settings.evaluate, 0))
    look, spread = 1, assumed_spread(section.metric)
    try:
        receipt = Receipt.from_json(paths.receipt.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        receipt = None
    if receipt is not None and (receipt.model_name, receipt.metric) == (section.model_name, section.metric):
        if receipt.test_digest == digest_of_test(test, settings.evaluate):
            look = int(receipt.figures.get("looks", receipt.figures.get("look", 0))) + 1
        if "deviation" in receipt.figures:
            spread = replace(spread, deviation=float(receipt.figures["deviation"]), source=PAIRS)
    if not num_rows:
        return None
    policy = policy_of(section)
    outlook = look_ahead(policy, num_rows, look, spread)
    has_champion = receipt is not None and receipt.model_name == section.model_name
    return outlook if has_champion else replace(outlook, sentence=_describe_first(policy, num_rows, outlook.smallest_gain))


def _describe_first(policy: Policy, num_rows: int, gain: float | None) -> str:
    """What the test set is good for, said before there is a model to compare with."""
    if gain is None:
        return f"The test set of {num_rows} rows is too small to show that a later model is better; more rows of test help."
    return (
        f"Once there is a champion, the test set of {num_rows} rows can tell it from a model that is better by {gain:.3g} "
        f"{policy.metric} or more ({policy.power:.0%} chance); for smaller gains enlarge the test set (docs/gate.md)."
    )
