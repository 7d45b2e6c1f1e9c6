"""How a task is decoded and scored."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from seq2seq_core.corpus_survey.choices.task_choice import Task
from seq2seq_core.corpus_survey.evidence import CorpusEvidence
from seq2seq_core.corpus_survey.texts.text_statistics import SideStatistics
from seq2seq_core.unspaced_scripts import UNSPACED_SCRIPTS

SEVERAL_REFERENCES = 0.2
"""From this share of pairs whose source came before with another target on, sources have several right answers."""


def choose_metrics(task: Task, target: SideStatistics) -> tuple[list[str], str, str]:
    """The metrics of test, the one that decides which version serves, and the one that chooses checkpoints.

    Args:
        task: the task.
        target: the targets.
    """
    is_short = target.typical_words < 3 and target.typical_characters < 40
    match task:
        case "translation":
            return ["chrf", "bleu", "exact_match", "ter"], "chrf", "chrf"
        case "summarisation":
            rouge = ["rougeL", "rouge1", "rouge2"] if find_spec("rouge_score") else []
            return [*rouge, "chrf"], (rouge or ["chrf"])[0], "loss"
        case "dialogue":
            return ["chrf", "bleu", "exact_match"], "chrf", "loss"
        case "speech":
            return ["wer", "cer", "exact_match"], "wer", "wer"
        case "synthesis":
            return ["mel_distortion"], "mel_distortion", "loss"
        case "lines":
            return ["cer", "wer", "exact_match", "chrf"], "cer", "cer"
        case "captions":
            return ["chrf", "exact_match", "cer"], "chrf", "chrf"
        case "normalisation" | "spelling" if not is_short:
            return ["cer", "exact_match", "wer", "chrf"], "cer", "cer"
        case "parsing":
            return ["exact_match", "bleu", "cer"], "exact_match", "exact_match"
        case "pronunciation":
            return ["exact_match", "wer", "cer"], "exact_match", "exact_match"
        case _:
            return ["exact_match", "cer", "chrf"], "exact_match", "exact_match"


def choose_search(task: Task, target: SideStatistics, units_ratio: float) -> dict[str, Any]:
    """The section ``evaluate`` without metrics.

    Args:
        task: the task.
        target: the targets.
        units_ratio: tokens of a target for a token of its source, that one pair in a thousand exceeds.
    """
    section: dict[str, Any] = {"beam_size": 1 if task in ("parsing", "synthesis") else 5}
    if task == "synthesis":
        return section
    if task == "speech":
        section["max_length_ratio"] = 0.5
    elif task == "lines":
        section |= {
            "max_length_ratio": 1.0,
            "ctc_weight": 0.7,
        }  # a frame is a fifth as wide as the line is high, and hardly has more than a character
    elif task in ("summarisation", "dialogue"):
        section |= {"max_length_ratio": 0.5 if task == "summarisation" else 1.0, "max_length_offset": 50, "no_repeat_ngram_size": 3}
    elif units_ratio > 2:
        section["max_length_ratio"] = float(min(1000, round(1.5 * units_ratio + 0.5)))
    if task in ("translation", "dialogue", "summarisation"):  # many answers are right
        section |= {
            "confidence_event": "chrf",
            "confidence_chrf": 60.0 if task == "translation" and not target.is_spaceless else 40.0,
        }
    if task in ("translation", "dialogue"):
        if target.is_spaceless:
            section["bleu_tokenizer"] = UNSPACED_SCRIPTS[target.script].bleu_tokenizer
        elif target.tokenised > 0.8:
            section["bleu_tokenizer"] = "none"
    return section


def has_several_references(evidence: CorpusEvidence) -> bool:
    """Whether sources have several right targets, as captions have, so that rows of test are put together.

    Only where test is carved out of train, and where rows have no further columns: nothing else tells that rows of test are equal
    but for the target.

    Args:
        evidence: about the corpus.
    """
    layout = evidence.layout
    is_plain = layout.turns is None and not layout.columns and "test" not in layout.num_rows
    return evidence.speech is None and is_plain and evidence.pairs.conflicting >= SEVERAL_REFERENCES
