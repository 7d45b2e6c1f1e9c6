"""The paired test as sacreBLEU publishes it, for reports: two-sided, with its own number of trials and signature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seq2seq_core.evaluation.metric import DEFAULT_OPTIONS, ScoringOptions
from seq2seq_core.evaluation.scores import find_metric


@dataclass(frozen=True)
class PublishedTest:
    """A result that ``sacrebleu --paired-ar`` repeats.

    Attributes:
        p_value: two-sided.
        signature: sacreBLEU's, with seed and number of trials.
    """

    p_value: float
    signature: str


def published_test(
    metric: str,
    champion: Sequence[str],
    challenger: Sequence[str],
    references: Sequence[str],
    options: ScoringOptions = DEFAULT_OPTIONS,
    num_trials: int = 10_000,
) -> PublishedTest | None:
    """Approximate randomisation by sacreBLEU itself; None for a metric that is not sacreBLEU's.

    Args:
        metric: the metric's name.
        champion: the champion's outputs.
        challenger: the challenger's outputs for the same rows.
        references: one for each row.
        options: settings that metrics read.
        num_trials: number of random swaps.
    """
    from sacrebleu.significance import PairedTest, Result

    scoring = find_metric(metric).rows
    if scoring is None or scoring.library is None:
        return None
    systems = [("champion", champion), ("challenger", challenger)]
    test = PairedTest(systems, {metric: scoring.library(options)}, [references], test_type="ar", n_samples=num_trials)
    signatures, results = test()
    ((name, signature),) = signatures.items()
    result = results[name][1]
    assert isinstance(result, Result)
    assert result.p_value is not None
    return PublishedTest(result.p_value, str(signature))
