"""The rows of the quality table: which systems, which figure of theirs, and the bar that it has to reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import scipy.stats

from benchmarks.measured.corpora import EUTRANS, MULTI30K, join_two_languages, two_languages_files
from benchmarks.measured.digit_strings import build_corpus
from benchmarks.measured.figures import (
    Comparison,
    Figure,
    bleu,
    compare_bleu,
    compare_chrf,
    compare_means,
    exact,
    share,
    symbol_edits,
    symbol_error_rate,
)
from benchmarks.measured.systems import Outcome, System
from seq2seq_core.training.reward import sentence_reward

Outcomes = Mapping[str, Outcome]
"""What each system of a row said, by the system's name."""


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        name: by which it is asked for.
        title: in the table.
        systems: what has to be trained.
        unit: of the figure.
        published: the figure of others, with its source.
        bar: the figure to reach, in words.
        measure: the figure of one seed.
        is_met: whether the figure of one seed reaches the bar.
        details: further lines about one seed.
    """

    name: str
    title: str
    systems: Sequence[System]
    unit: str
    published: str
    bar: str
    measure: Callable[[Outcomes], Figure]
    is_met: Callable[[float, Outcomes], bool]
    details: Callable[[Outcomes], list[str]] = field(default=lambda _: [])


def _accuracy(outcome: Outcome) -> Figure:
    return share(exact(outcome.hypotheses, outcome.references))


def _word_error(outcome: Outcome) -> Figure:
    """The share of words with any fault, which the shared task calls WER."""
    right = _accuracy(outcome)
    return Figure(100 - right.value, 100 - right.high, 100 - right.low)


def _only(outcomes: Outcomes) -> Outcome:
    (outcome,) = outcomes.values()
    return outcome


# --- grapheme to phoneme ---------------------------------------------------------------------------------------------

G2P_PUBLISHED = {  # SIGMORPHON 2020 task 1, overview paper, tables 2 to 4: LSTM and Transformer baseline, best submission
    "fre": (6.22, 6.89, 5.11),
    "hun": (5.33, 5.33, 4.00),
    "hin": (6.67, 9.56, 5.11),
    "kor": (46.89, 43.78, 24.00),
    "gre": (18.89, 18.89, 14.44),
}
G2P_SYSTEMS = [System(f"g2p-{language}", "g2p.yaml", f"g2p2020_{language}") for language in G2P_PUBLISHED]
G2P_BAR = sum(lstm for lstm, _, _ in G2P_PUBLISHED.values()) / len(G2P_PUBLISHED)


def _g2p_macro(outcomes: Outcomes) -> Figure:
    """The mean of the languages' word error rates; its interval from their binomial variances."""
    errors = [_word_error(outcome).value for outcome in outcomes.values()]
    variances = [error * (100 - error) / len(outcome.references) for error, outcome in zip(errors, outcomes.values(), strict=True)]
    mean, half_width = float(np.mean(errors)), scipy.stats.norm.ppf(0.975) * np.sqrt(sum(variances)) / len(errors)
    return Figure(mean, mean - half_width, mean + half_width)


def _g2p_details(outcomes: Outcomes) -> list[str]:
    lines = []
    for name, outcome in outcomes.items():
        lstm, transformer, best = G2P_PUBLISHED[name.removeprefix("g2p-")]
        error = _word_error(outcome)
        interval = f"{error.value:.2f} ({error.low:.2f} to {error.high:.2f})"
        lines.append(f"{name}: WER {interval}; published LSTM {lstm}, Transformer {transformer}, best submission {best}")
    return lines


# --- semantic parsing ------------------------------------------------------------------------------------------------


def _exact_row(name: str, title: str, system: System, published: str, bar: str, is_met: Callable[[float], bool]) -> Row:
    return Row(
        name, title, [system], "exact match, %", published, bar, lambda outcomes: _accuracy(_only(outcomes)),
        lambda value, _: is_met(value),
    )  # fmt: skip


# --- transliteration -------------------------------------------------------------------------------------------------


def _is_among(outcome: Outcome, count: int) -> list[bool]:
    pairs = zip(outcome.nbest, outcome.references, strict=True)
    return [reference in hypotheses[:count] for hypotheses, reference in pairs]


def _three_best(outcomes: Outcomes) -> float:
    return share(_is_among(_only(outcomes), 3)).value


# --- translation -----------------------------------------------------------------------------------------------------


def _bleu(outcome: Outcome) -> Figure:
    return bleu(outcome.hypotheses, outcome.references, "none")


def _bleu_row(name: str, title: str, system: System, published: str, bar: float) -> Row:
    return Row(
        name, title, [system], "BLEU (tokenize none)", published, f"≥ {bar:g}", lambda outcomes: _bleu(_only(outcomes)),
        lambda value, _: value >= bar,
        lambda outcomes: [f"trained in {_only(outcomes).seconds:,.0f} s; {_only(outcomes).parameters:,} weights"],
    )  # fmt: skip


# --- two languages in one model --------------------------------------------------------------------------------------

BOTH, ES_EN, EN_DE = "two-languages", "eutrans-es-en", "multi30k-rnn"
MOST_LOST = 1.0
"""BLEU that the model of both languages may lose to one of its own."""


def _bleu_by_direction(outcomes: Outcomes) -> dict[str, tuple[float, float]]:
    """The BLEU of the model of both languages and of the single one, by single model's name."""
    both, by_language = outcomes[BOTH], {"en": ES_EN, "de": EN_DE}
    return {
        single: (_bleu(_rows_of(both, language)).value, _bleu(outcomes[single]).value) for language, single in by_language.items()
    }


def _rows_of(outcome: Outcome, language: str) -> Outcome:
    places = [place for place, found in enumerate(outcome.languages) if found == language]
    return replace(
        outcome,
        references=[outcome.references[place] for place in places],
        hypotheses=[outcome.hypotheses[place] for place in places],
    )


def _largest_loss(outcomes: Outcomes) -> Figure:
    """What the worse of the two directions loses; the interval is that of the Multi30k test set under the model of both."""
    losses = {single: alone - together for single, (together, alone) in _bleu_by_direction(outcomes).items()}
    together = _bleu(_rows_of(outcomes[BOTH], "de"))
    half_width, largest = together.high - together.value, max(losses.values())
    return Figure(largest, largest - half_width, largest + half_width)


def _direction_details(outcomes: Outcomes) -> list[str]:
    return [
        f"{single}: {alone:.2f} alone, {together:.2f} in the model of both"
        for single, (together, alone) in _bleu_by_direction(outcomes).items()
    ]


# --- reinforcement ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gain:
    """What learning by reward gave, by the paired bootstrap over the test set.

    Attributes:
        rewarded: the change of the metric that was rewarded.
        others: of other metrics, by name; more is better in all of them.
    """

    rewarded: Comparison
    others: Mapping[str, Comparison]

    @property
    def is_good(self) -> bool:
        """Whether the rewarded metric rose significantly and no other fell significantly."""
        has_loss = any(other.difference < 0 and other.p_value < SIGNIFICANT for other in self.others.values())
        return self.rewarded.difference > 0 and self.rewarded.p_value < SIGNIFICANT and not has_loss


SIGNIFICANT = 0.05


def _symbol_accuracies(outcome: Outcome) -> list[float]:
    """1 minus the symbol error rate of each sentence."""
    edits, lengths = symbol_edits(outcome.hypotheses, outcome.references)
    return list(1 - edits / np.maximum(lengths, 1))


def _letters_gain(outcomes: Outcomes) -> Gain:
    """In percent: the letters right in a name, which are rewarded, and names wholly right."""
    before, after = outcomes.values()
    right = [[100.0 * one for one in exact(outcome.hypotheses, outcome.references)] for outcome in (before, after)]
    letters = [[100.0 * one for one in _symbol_accuracies(outcome)] for outcome in (before, after)]
    return Gain(compare_means(*letters), {"exact match": compare_means(*right)})


def _translation_gain(outcomes: Outcomes) -> Gain:
    """The BLEU of single sentences (add-one), which is rewarded, corpus BLEU and chrF."""
    before, after = outcomes.values()
    references = before.references
    sentences = [
        [100 * sentence_reward("bleu", *pair) for pair in zip(one.hypotheses, references, strict=True)] for one in (before, after)
    ]
    corpus = (before.hypotheses, after.hypotheses, references)
    return Gain(compare_means(*sentences), {"BLEU": compare_bleu(*corpus, "none"), "chrF": compare_chrf(*corpus)})


def _gain_row(name: str, title: str, systems: Sequence[System], unit: str, gain: Callable[[Outcomes], Gain]) -> Row:
    def measure(outcomes: Outcomes) -> Figure:
        found = gain(outcomes).rewarded
        assert found.low is not None
        assert found.high is not None
        return Figure(found.difference, found.low, found.high)

    def details(outcomes: Outcomes) -> list[str]:
        found = gain(outcomes)
        comparisons = {"rewarded": found.rewarded, **found.others}
        return [f"{key} {one.difference:+.3f} (p = {one.p_value:.4f})" for key, one in comparisons.items()]

    return Row(
        name,
        title,
        systems,
        unit,
        "–",
        "p < 0.05, no other metric falls",
        measure,
        lambda _, outcomes: gain(outcomes).is_good,
        details,
    )


# --- the table -------------------------------------------------------------------------------------------------------

SELF_CRITICAL = {
    "objective": "self_critical",
    "max_steps": 600,
    "batch_tokens": 1024,
    "learning_rate": 0.0002,
    "warmup_steps": 50,
    "validate_every_steps": 100,
    "dev_metric": "wer",
    "reinforcement": {"reward": "wer", "num_samples": 5, "likelihood_weight": 0.1},
}
MINIMUM_RISK = {
    "objective": "minimum_risk",
    "max_steps": 500,
    "batch_tokens": 600,
    "learning_rate": 0.0002,
    "warmup_steps": 50,
    "validate_every_steps": 100,
    "reinforcement": {"reward": "bleu", "num_samples": 8, "sharpness": 0.05, "likelihood_weight": 0.1},
}
SCAN_SIMPLE = System("scan-simple", "scan.yaml", "scan_simple")
SCAN_LENGTH = System("scan-length", "scan.yaml", "scan_length")
COGS = System("cogs", "cogs.yaml", "cogs")
TRANSLITERATION = System("translit-en-ru", "transliteration.yaml", "wikidata_translit_en_ru", nbest=3)
MULTI30K_RNN = System(EN_DE, "multi30k_en_de_rnn.yaml", MULTI30K)
ES_EN_RNN = System(ES_EN, "eutrans_es_en.yaml", EUTRANS)
TWO_LANGUAGES = System(
    BOTH,
    "multi30k_en_de_rnn.yaml",
    join_two_languages,
    {
        "corpus.files": two_languages_files(),
        "corpus.input_columns": ["target_language"],
        "tokenize.source_tags": ["target_language"],
        "train.max_steps": 9000,
    },
)
MULTI30K_TRANSFORMER = System("multi30k-transformer", "multi30k_en_de.yaml", MULTI30K)
TRANSLITERATION_REWARDED = System(
    "translit-en-ru-rewarded",
    "transliteration.yaml",
    "wikidata_translit_en_ru",
    {"train.phases": [{"objective": "likelihood"}, SELF_CRITICAL]},
    workspace=TRANSLITERATION.name,
)
MULTI30K_REWARDED = System(
    "multi30k-rnn-rewarded",
    "multi30k_en_de_rnn.yaml",
    MULTI30K,
    {"train.phases": [{"objective": "likelihood"}, MINIMUM_RISK]},
    workspace=MULTI30K_RNN.name,
)

DIGITS = System("spoken-digits", "spoken_digits.yaml", build_corpus)

ROWS = [
    Row(
        "g2p", "grapheme to phoneme, SIGMORPHON 2020, mean of fre hun hin kor gre", G2P_SYSTEMS, "WER, %",
        f"LSTM {G2P_BAR:.2f} (overview paper, tables 2 to 4)", f"≤ {G2P_BAR:.2f}", _g2p_macro,
        lambda value, _: value <= G2P_BAR, _g2p_details,
    ),
    _exact_row(
        "scan-simple", "SCAN, simple split", SCAN_SIMPLE, "≥ 99 (Lake and Baroni 2018: 99.8)", "≥ 99", lambda value: value >= 99
    ),
    _exact_row(
        "scan-length", "SCAN, length split", SCAN_LENGTH, "10 to 25 for plain models (Lake and Baroni 2018: 13.8 to 20.8)",
        "10 to 25: much more would be a leak", lambda value: 10 <= value <= 25,
    ),
    _exact_row("cogs", "COGS, in distribution", COGS, "96 to 99 (Kim and Linzen 2020)", "≥ 96", lambda value: value >= 96),
    Row(
        "translit", "transliteration of names, English to Russian", [TRANSLITERATION], "1-best accuracy, %",
        "60 1-best, 75 3-best (README of the corpus)", "≥ 60 and 3-best ≥ 75", lambda outcomes: _accuracy(_only(outcomes)),
        lambda value, outcomes: value >= 60 and _three_best(outcomes) >= 75,
        lambda outcomes: [f"3-best accuracy {_three_best(outcomes):.2f}"],
    ),
    _bleu_row(
        "multi30k-rnn", "Multi30k English to German, test 2016, recurrent with attention", MULTI30K_RNN,
        "38.1 ± 0.8, quoted for a text-only recurrent system", 36.0,
    ),
    _bleu_row(
        "multi30k-transformer", "Multi30k English to German, test 2016, Transformer-Tiny", MULTI30K_TRANSFORMER,
        "41.02 (Transformer-Tiny, LividWo/Revisit-MMT)", 40.0,
    ),
    Row(
        "spoken-digits", "spoken digits (fsdd, official test recordings, strings of 1 to 5)", [DIGITS], "digit error rate, %", "–",
        "≤ 5", lambda outcomes: symbol_error_rate(_only(outcomes).hypotheses, _only(outcomes).references),
        lambda value, _: value <= 5,
    ),
    Row(
        "two-languages", "EuTrans Spanish to English and Multi30k English to German by one model, tagged",
        [ES_EN_RNN, MULTI30K_RNN, TWO_LANGUAGES], "BLEU lost to a model of its own", "–", f"≤ {MOST_LOST:g} in each",
        _largest_loss, lambda value, _: value <= MOST_LOST, _direction_details,
    ),
    _gain_row(
        "reinforcement-translit", "self-critical training after likelihood, transliteration to Russian",
        [TRANSLITERATION, TRANSLITERATION_REWARDED], "gain, letters right, %", _letters_gain,
    ),
    _gain_row(
        "reinforcement-multi30k", "minimum risk training after likelihood, Multi30k, recurrent",
        [MULTI30K_RNN, MULTI30K_REWARDED], "gain, mean sentence BLEU", _translation_gain,
    ),
]  # fmt: skip
