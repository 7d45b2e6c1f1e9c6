"""Whether a metric can tell good hypotheses from bad ones on some references, and which metric can.

BLEU counts runs of four tokens, and a word error rate counts words. In a text without spaces both may see a single token. Then one
wrong character is as bad as none right. Two probes show it: the references themselves, and references with a wrong last character.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from seq2seq_core.config.metric_names import BLEU
from seq2seq_core.evaluation.metric import Metric, ScoringOptions
from seq2seq_core.evaluation.scores import find_metric
from seq2seq_core.unspaced_scripts import UNSPACED_CHARACTERS, UNSPACED_TOKENIZERS

LOW = 0.1
"""A metric does not see a small mistake if it leaves less than this share of a perfect score."""
ALTERNATIVES = ("chrf", "cer")
"""Metrics that count characters."""
WRONG = "\u25a1"
"""A character that no reference is expected to have."""
_UNSPACED = re.compile(f"[{UNSPACED_CHARACTERS}]")


def explain_insensitivity(name: str, references: Sequence[str], options: ScoringOptions) -> str:
    """Why a metric cannot tell hypotheses of these references apart; empty if it can.

    Args:
        name: of the metric.
        references: at least one.
        options: settings that metrics read.
    """
    metric = find_metric(name)
    perfect = metric.compute(references, references, options)
    if metric.is_at_worst(perfect):
        return f"gives even the targets themselves its worst score, {perfect:g}"
    if _is_unspaced(references) and _share_kept(metric, references, options) < LOW:
        spaced = [" ".join(reference) for reference in references]
        if _share_kept(metric, spaced, options) >= LOW:
            return "counts words, and the targets have no spaces: one wrong character is as bad as none right"
    return ""


def name_sensitive(name: str, references: Sequence[str], options: ScoringOptions) -> list[str]:
    """The alternatives to a metric that see a small mistake in these references.

    Args:
        name: of the metric.
        references: at least one.
        options: settings that metrics read.
    """
    return [label for label, metric, own in _alternatives(name, options) if _share_kept(metric, references, own) >= LOW]


def name_moving(name: str, hypotheses: Sequence[str], references: Sequence[str], options: ScoringOptions) -> list[str]:
    """The alternatives to a metric that are not at their worst for these hypotheses, each with its score.

    Args:
        name: of the metric.
        hypotheses: decoded texts.
        references: one for each hypothesis.
        options: settings that metrics read.
    """
    scores = [(label, metric, metric.compute(hypotheses, references, own)) for label, metric, own in _alternatives(name, options)]
    return [f"{label} ({value:.4g})" for label, metric, value in scores if not metric.is_at_worst(value)]


def _alternatives(name: str, options: ScoringOptions) -> Iterator[tuple[str, Metric, ScoringOptions]]:
    """Metrics with options that may take the place of a metric, with their names."""
    if name == BLEU:
        for tokenizer in UNSPACED_TOKENIZERS:
            if tokenizer != options.bleu_tokenizer:
                yield f"{BLEU} by the tokeniser {tokenizer}", find_metric(BLEU), replace(options, bleu_tokenizer=tokenizer)
    yield from ((other, find_metric(other), options) for other in ALTERNATIVES if other != name)


def _share_kept(metric: Metric, references: Sequence[str], options: ScoringOptions) -> float:
    """The share of a perfect score that is left if each reference's last character is wrong; 0 if nothing can be perfect."""
    hypotheses = [reference[:-1] + WRONG for reference in references]
    near, perfect = (metric.compute(texts, references, options) for texts in (hypotheses, references))
    return 0.0 if metric.is_at_worst(perfect) else (near - metric.worst) / (perfect - metric.worst)


def _is_unspaced(references: Sequence[str]) -> bool:
    """Whether most characters are of a script that is written without spaces."""
    text = "".join("".join(references).split())
    return len(_UNSPACED.findall(text)) > len(text) / 2
