"""Scores of hypotheses against references.

``exact_match``, ``cer`` and ``wer`` are fractions; ``bleu``, ``chrf`` and ``ter`` are sacreBLEU's, on its scale of 0 to 100; ROUGE
(``rouge1``, ``rouge2``, ``rougeL``), on the same scale, needs the package rouge-score. For
transliteration and grapheme-to-phoneme conversion the literature's "word error rate" is the share of words with any fault, which is
1 - ``exact_match`` here; ``wer`` is over the white-space-separated symbols of a target (words, phones). TER tries shifts of phrases
and takes seconds for a few long segments: ask for it where it is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import TypeVar

from rapidfuzz.distance import Levenshtein
from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from seq2seq_core.evaluation.rouge import ROUGE, rouge_score, rouge_signature

METRICS = ("exact_match", "bleu", "chrf", "ter", "cer", "wer")
"""What every installation can compute."""
ALL_METRICS = (*METRICS, *ROUGE)

HIGHER_IS_BETTER: dict[str, bool] = {
    "exact_match": True,
    "bleu": True,
    "chrf": True,
    "rouge1": True,
    "rouge2": True,
    "rougeL": True,
    "ter": False,
    "cer": False,
    "wer": False,
    "loss": False,
}
"""Which way is up, for each metric and for the loss that training also goes by."""

Symbol = TypeVar("Symbol", bound=Hashable)


def score(
    hypotheses: Sequence[str], references: Sequence[str], metrics: Sequence[str] = METRICS, bleu_tokenizer: str = "13a"
) -> dict[str, float]:
    """The scores of a whole test set, by metric, in the order asked for.

    Args:
        hypotheses: decoded texts; at least one.
        references: one for each hypothesis, in the same order.
        metrics: names from ``ALL_METRICS``.
        bleu_tokenizer: sacreBLEU's ``--tokenize``; only BLEU uses it.

    Raises:
        ValueError: no hypothesis, not as many references, or an unknown metric.
        UserError: ROUGE is wanted and its package is not installed.
    """
    if len(hypotheses) != len(references) or not hypotheses:
        raise ValueError(f"expected at least one hypothesis and as many references, got {len(hypotheses)} and {len(references)}")
    scorers = _scorers(bleu_tokenizer)
    if unknown := [metric for metric in metrics if metric not in scorers]:
        raise ValueError(f"unknown metric {unknown[0]!r}, expected one of {', '.join(ALL_METRICS)}")
    return {metric: scorers[metric](hypotheses, references) for metric in metrics}


def signatures(metrics: Sequence[str] = METRICS, bleu_tokenizer: str = "13a") -> dict[str, str]:
    """What must be stated with each of sacreBLEU's scores (Post 2018) and with ROUGE, by metric; the other metrics have none.

    Args:
        metrics: names from ``ALL_METRICS``.
        bleu_tokenizer: sacreBLEU's ``--tokenize``.
    """
    found = {}
    for name, metric in _sacrebleu_metrics(bleu_tokenizer).items():
        if name in metrics:
            metric.corpus_score(["a"], [["a"]])  # a signature names the number of references, known after scoring
            found[name] = str(metric.get_signature())
    return found | {name: rouge_signature() for name in ROUGE if name in metrics}


def exact_match(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """The share of hypotheses that equal their reference, code point by code point."""
    return sum(map(str.__eq__, hypotheses, references)) / len(references)


def character_error_rate(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Edits over all pairs, divided by the code points of all references; above 1 where hypotheses are much too long."""
    return _error_rate(list(zip(hypotheses, references, strict=True)))


def word_error_rate(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Edits of white-space-separated symbols over all pairs, divided by the symbols of all references."""
    return _error_rate(
        [(hypothesis.split(), reference.split()) for hypothesis, reference in zip(hypotheses, references, strict=True)]
    )


def edit_distance(first: Sequence[Symbol], second: Sequence[Symbol]) -> int:
    """The fewest insertions, deletions and substitutions that turn one sequence into the other (Levenshtein 1966).

    Args:
        first: code points or symbols.
        second: code points or symbols.
    """
    if isinstance(first, str) and isinstance(second, str):
        return Levenshtein.distance(first, second)
    # rapidfuzz compares the hashes of symbols, and those of "" and 0 are one, as are those of "a" and 97; their numbers are not.
    numbers: dict[Symbol, int] = {}
    first_numbers, second_numbers = ([numbers.setdefault(symbol, len(numbers)) for symbol in side] for side in (first, second))
    return Levenshtein.distance(first_numbers, second_numbers)


def _error_rate(pairs: Sequence[tuple[Sequence[Hashable], Sequence[Hashable]]]) -> float:
    """Edits a reference symbol, over all (hypothesis, reference); with no reference symbol at all, the edits themselves."""
    edits = sum(edit_distance(reference, hypothesis) for hypothesis, reference in pairs)
    return edits / max(1, sum(len(reference) for _, reference in pairs))


def _sacrebleu_metrics(bleu_tokenizer: str) -> dict[str, Metric]:
    # force: no advice on standard error about test sets that are tokenised, which ours may be on purpose.
    return {"bleu": BLEU(tokenize=bleu_tokenizer, force=True), "chrf": CHRF(), "ter": TER()}


def _scorers(bleu_tokenizer: str) -> dict[str, Callable[[Sequence[str], Sequence[str]], float]]:
    rouge = {name: partial(rouge_score, name) for name in ROUGE}
    library = {name: partial(_library_score, metric) for name, metric in _sacrebleu_metrics(bleu_tokenizer).items()}
    return {"exact_match": exact_match, "cer": character_error_rate, "wer": word_error_rate, **library, **rouge}


def _library_score(metric: Metric, hypotheses: Sequence[str], references: Sequence[str]) -> float:
    return float(metric.corpus_score(hypotheses, [references]).score)
