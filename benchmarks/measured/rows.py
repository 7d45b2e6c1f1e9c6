"""The rows of the quality table: their systems, their figure, and the bar that it must reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from benchmarks.measured.corpora import EUTRANS, MULTI30K, join_two_languages, two_languages_files
from benchmarks.measured.digit_strings import build_corpus
from benchmarks.measured.few_pairs import FEW_PAIRS, SEMI_SUPERVISED, UNSUPERVISED, judge_few_pairs
from benchmarks.measured.figures import Figure, share, symbol_error_rate
from benchmarks.measured.gains import OF_NAMES, OF_TRANSLATIONS, continue_training, gain_row
from benchmarks.measured.pronunciation import G2P_BAR, G2P_SYSTEMS, g2p_details, g2p_macro
from benchmarks.measured.row import Judgement, Outcomes, Row, accuracy, bleu_of, by_figure, only
from benchmarks.measured.systems import Outcome, System
from benchmarks.measured.two_languages import BOTH, EN_DE, ES_EN, MOST_LOST, judge_two_languages


def _exact_row(name: str, title: str, system: System, published: str, bar: str, is_met: Callable[[float], bool]) -> Row:
    return Row(
        name, title, [system], "exact match, %", published, bar,
        by_figure(lambda outcomes: accuracy(only(outcomes)), is_met),
    )  # fmt: skip


def _is_among(outcome: Outcome, count: int) -> list[bool]:
    pairs = zip(outcome.nbest, outcome.references, strict=True)
    return [reference in hypotheses[:count] for hypotheses, reference in pairs]


def _judge_names(outcomes: Outcomes) -> Judgement:
    best, three_best = accuracy(only(outcomes)), share(_is_among(only(outcomes), 3)).value
    return Judgement(best, best.value >= 60 and three_best >= 75, [f"3-best accuracy {three_best:.2f}"])


def _cost(outcomes: Outcomes) -> list[str]:
    return [f"trained in {only(outcomes).seconds:,.0f} s; {only(outcomes).parameters:,} weights"]


def _bleu_row(name: str, title: str, system: System, published: str, bar: float) -> Row:
    return Row(
        name, title, [system], "BLEU (tokenize none)", published, f"≥ {bar:g}",
        by_figure(lambda outcomes: bleu_of(only(outcomes)), lambda value: value >= bar, _cost),
    )  # fmt: skip


def _row_without_bar(name: str, title: str, system: System, unit: str, measure: Callable[[Outcome], Figure]) -> Row:
    """A row for a corpus without a comparable published figure."""
    judge = by_figure(lambda outcomes: measure(only(outcomes)), lambda _: True, _cost)
    return Row(name, title, [system], unit, "–", "whatever it is", judge)


MINIMUM_RISK_OF_NAMES = {
    "objective": "minimum_risk", "max_steps": 2000, "batch_tokens": 2048, "learning_rate": 0.0002, "warmup_steps": 50,
    "average_decay": 0.995, "validate_every_steps": 250, "dev_metric": "wer",
    "reinforcement": {
        "reward": "wer", "num_samples": 8, "temperature": 0.5, "includes_reference": True, "sharpness": 1.0,
        "likelihood_weight": 0.1,
    },
}  # fmt: skip
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
EN_JA = System("en-ja", "small_parallel_enja.yaml", "small_parallel_enja")
EN_ZH = System("en-zh", "tatoeba_en_zh.yaml", "tatoeba_en_zh")
HEBREW_NAMES = System("translit-en-he", "transliteration.yaml", "wikidata_translit_en_he")
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
        "tokenize.group_columns": ["target_language"],
        "train.max_steps": 9000,
        "train.phases": [
            {"objective": "likelihood"},
            {
                "objective": "likelihood",
                "max_steps": 4500,
                "warmup_steps": 200,
                "sampling_temperature": 2.0,
                "dev_metric": "loss",
                "validate_every_steps": 250,
            },
        ],
    },
)
MULTI30K_TRANSFORMER = System("multi30k-transformer", "multi30k_en_de.yaml", MULTI30K)
GREEDY_NAMES = replace(
    TRANSLITERATION, name="translit-en-ru-greedy", nbest=1, workspace=TRANSLITERATION.name, changes={"evaluate.beam_size": 1}
)
REWARDED_NAMES, MORE_NAMES = continue_training(GREEDY_NAMES, MINIMUM_RISK_OF_NAMES)
REWARDED_CAPTIONS, MORE_CAPTIONS = continue_training(MULTI30K_RNN, MINIMUM_RISK)

DIGITS = System("spoken-digits", "spoken_digits.yaml", build_corpus)

ROWS = [
    Row(
        "g2p", "grapheme to phoneme, SIGMORPHON 2020, mean of fre hun hin kor gre", G2P_SYSTEMS, "WER, %",
        f"LSTM {G2P_BAR:.2f} (overview paper, tables 2 to 4)", f"≤ {G2P_BAR:.2f}",
        by_figure(g2p_macro, lambda value: value <= G2P_BAR, g2p_details),
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
        "60 1-best, 75 3-best (README of the corpus)", "≥ 60 and 3-best ≥ 75", _judge_names,
    ),
    _row_without_bar("translit-he", "transliteration of names, English to Hebrew", HEBREW_NAMES, "1-best accuracy, %", accuracy),
    _row_without_bar(
        "en-ja", "small_parallel_enja, English to Japanese, test as tokenised", EN_JA, "BLEU (tokenize none)", bleu_of
    ),
    _row_without_bar(
        "en-zh", "Tatoeba, English to Chinese, a carved-out test", EN_ZH, "BLEU (tokenize zh)",
        lambda outcome: bleu_of(outcome, "zh"),
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
        "≤ 5",
        by_figure(
            lambda outcomes: symbol_error_rate(only(outcomes).hypotheses, only(outcomes).references), lambda value: value <= 5
        ),
    ),
    Row(
        "two-languages", "EuTrans Spanish to English and Multi30k English to German by one model, tagged",
        [ES_EN_RNN, MULTI30K_RNN, TWO_LANGUAGES], "BLEU lost to a model of its own", "–", f"≤ {MOST_LOST:g} in each",
        judge_two_languages,
    ),
    Row(
        "semi-supervised", "Multi30k with 2,000 pairs, and 13,500 sentences of each language without translation",
        [FEW_PAIRS, SEMI_SUPERVISED], "BLEU (tokenize none)", "–", "better than the pairs alone, p < 0.05",
        judge_few_pairs,
    ),
    _row_without_bar("unsupervised", "the same without a pair", UNSUPERVISED, "BLEU (tokenize none)", bleu_of),
    gain_row(
        "reinforcement-translit", "minimum risk training after likelihood, transliteration to Russian, decoded greedily",
        [GREEDY_NAMES, REWARDED_NAMES, MORE_NAMES], "gain, letters right, %", OF_NAMES,
    ),
    gain_row(
        "reinforcement-multi30k", "minimum risk training after likelihood, Multi30k, recurrent",
        [MULTI30K_RNN, REWARDED_CAPTIONS, MORE_CAPTIONS], "gain, mean sentence BLEU", OF_TRANSLATIONS,
    ),
]  # fmt: skip
