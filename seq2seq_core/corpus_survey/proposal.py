"""The settings that fit a corpus, section by section, with the reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq_core.config.section import Side
from seq2seq_core.corpus_survey.choices.language_choice import choose_languages
from seq2seq_core.corpus_survey.choices.picture_choice import choose_image, frames_of
from seq2seq_core.corpus_survey.choices.scoring_choice import choose_metrics, choose_search, has_several_references
from seq2seq_core.corpus_survey.choices.split_choice import choose_split
from seq2seq_core.corpus_survey.choices.task_choice import Task
from seq2seq_core.corpus_survey.choices.training_sizes import choose_model, choose_training
from seq2seq_core.corpus_survey.choices.unit_choice import (
    choose_units,
    excess_units,
    length_limit,
    mean_units,
    most_units,
    round_up,
)
from seq2seq_core.corpus_survey.corpus_layout import CorpusLayout
from seq2seq_core.corpus_survey.evidence import CorpusEvidence, gather_evidence, has_constant_languages
from seq2seq_core.corpus_survey.findings import describe_findings
from seq2seq_core.corpus_survey.texts.text_statistics import SideStatistics, describe_texts
from seq2seq_core.errors import UserError

FEWEST_PAIRS = 20
"""Fewer pairs are no corpus."""
EXPECTED_LOST = 0.2
"""A larger share of repeated and empty pairs is stated in the settings, so that ``prepare`` does not stop at what was seen."""
USUAL_EMPTY, MOST_MORE_EMPTY = 0.02, 0.1
"""The share of rows with an empty side that is accepted of any corpus, and how many more than were seen are."""
KEPT_LEAKS = "test asks what train has, as users will"
NATURAL = {
    "pronunciation": ("numbers_differ",),
    "normalisation": ("untranslated", "numbers_differ"),
    "spelling": ("untranslated",),
    "inflection": ("untranslated",),
    "summarisation": ("numbers_differ", "urls_differ"),
    "dialogue": ("numbers_differ", "urls_differ"),
    "parsing": ("numbers_differ", "repeated_ngrams"),
    "synthesis": ("conflicting_targets",),
}
"""By task: contracts that its pairs break by nature."""
FRAMES_PER_SECOND, FRAME_STRIDE, SPEECH_FRAMES_PER_SECOND = 100, 2, 80


@dataclass(frozen=True)
class Proposal:
    """Settings for a corpus.

    Attributes:
        task: the task.
        sections: of ``params.yaml``; ``corpus`` without its path.
        findings: what was found and decided, a line each.
    """

    task: Task
    sections: dict[str, dict[str, Any]]
    findings: list[str]


def propose(layout: CorpusLayout, folder: Path, task: Task | None = None) -> Proposal:
    """The settings for a corpus.

    Args:
        layout: of the corpus.
        folder: its folder, for recordings and pictures.
        task: the task; None: the likeliest.

    Raises:
        UserError: there are too few pairs, a recording or picture cannot be used, or the task does not fit the corpus.
    """
    if len(layout.pairs) < FEWEST_PAIRS:
        raise UserError(f"{folder}: found {len(layout.pairs)} pairs to train on; expected at least {FEWEST_PAIRS}")
    evidence = gather_evidence(layout, folder, task)
    split = choose_split(evidence, folder)
    sections: dict[str, dict[str, Any]] = {
        "corpus": _corpus_section(evidence),
        "validate": _validate_section(evidence),
        "prepare": _prepare_section(evidence, split.fraction),
    }
    sections["tokenize"] = tokenize = _tokenize_section(evidence)
    sections["model"] = choose_model(evidence.task, evidence.num_different, evidence.is_joint)
    source_model, target_model = _unit_models(tokenize)
    metrics, gate, dev_metric = choose_metrics(evidence.task, evidence.target)
    units = _units_a_pair(evidence, tokenize)
    dev_rows = layout.num_rows.get("dev") or int(sections["prepare"]["dev_fraction"] * evidence.num_different)
    sections["train"] = choose_training(evidence.task, evidence.num_different, units, sections["model"], dev_rows, dev_metric)
    sections["train"]["sized_for_pairs"] = layout.num_rows["train"]
    ratio = _units_ratio(evidence, source_model, target_model)
    sections["evaluate"] = choose_search(evidence.task, evidence.target, ratio) | {"metrics": metrics}
    # Without effect until dev_metric is bleu: so that it is right when the user, or a sweep by bleu, sets that.
    if tokenizer := sections["evaluate"].get("bleu_tokenizer"):
        sections["train"]["dev_bleu_tokenizer"] = tokenizer
    if slices := list(dict.fromkeys([*evidence.tags, *evidence.categories])):
        sections["evaluate"]["slice_columns"] = slices
    if has_several_references(evidence):
        sections["evaluate"]["references"] = "together"
    sections["register"] = {"metric": gate} | split.gate_section
    return Proposal(evidence.task, sections, [*layout.findings, *describe_findings(evidence, sections, split)])


def _corpus_section(evidence: CorpusEvidence) -> dict[str, Any]:
    section = dict(evidence.layout.section)
    if evidence.recordings is not None:
        section |= {"source_kind": "audio", "sample_rate": evidence.recordings.sample_rate}
    if evidence.speech is not None:
        section |= {"target_kind": "audio", "sample_rate": evidence.speech.sample_rate}
    if evidence.pictures is not None:
        section["source_kind"] = "image"
    if languages := _languages(evidence):
        section["languages"] = languages
    return section | ({"input_columns": evidence.tags} if evidence.tags else {})


def _languages(evidence: CorpusEvidence) -> dict[Side, str]:
    """The languages of the sides, unless the files have columns that tell them."""
    pairs, columns = evidence.layout.pairs, {"source_language", "target_language"}
    if has_constant_languages(evidence.layout) or columns & evidence.layout.columns.keys():
        return {}
    sides: dict[Side, Sequence[str]] = {} if evidence.speech is not None else {"target": [pair[1] for pair in pairs]}
    if not evidence.has_files:
        sides = {"source": [pair[0] for pair in pairs], **sides}
    return choose_languages(evidence.task, sides)


def _validate_section(evidence: CorpusEvidence) -> dict[str, Any]:
    longest = max(evidence.target.long_characters, 0 if evidence.has_files else evidence.source.long_characters)
    section: dict[str, Any] = {
        "min_rows": {
            "limit": max(1, _round_down(evidence.num_rows // 2)),
            "severity": "error" if evidence.layout.is_whole else "warning",
        },
        "max_characters": {"limit": max(200, round_up(3 * longest)), "severity": "warning"},
    }
    # Rows with an empty side are dropped from train. A few do no harm, and not every row was looked at.
    empty = evidence.layout.empty
    section["empty"] = {"limit": round(min(max(USUAL_EMPTY, 3 * empty), empty + MOST_MORE_EMPTY, 1.0), 2), "severity": "error"}
    if not evidence.has_files and evidence.speech is None and evidence.pairs.length_ratio > 4:
        section["length_ratio"] = {"limit": float(round_up(2 * evidence.pairs.length_ratio)), "severity": "warning"}
    if evidence.is_repetition_data:
        section["duplicate_pairs"] = {"limit": 1.0, "severity": "off"}
    if evidence.task == "dialogue":
        section["conflicting_targets"] = {"limit": 1.0, "severity": "off"}
    elif (conflicting := evidence.pairs.conflicting) > 0.05 and not evidence.tags:
        # A sample of a large corpus has fewer of the rows that share a source.
        limit = {"limit": round(min(1.0, conflicting + 0.1), 2), "severity": "warning"}
        section["conflicting_targets"] = limit if evidence.layout.is_whole else {"limit": 1.0, "severity": "off"}
    natural = NATURAL.get(evidence.task, ())
    if _keeps_leaks(evidence):
        natural = (*natural, "dev_leakage", "test_leakage", "dev_test_overlap")
    return section | {name: {"limit": 1.0, "severity": "off"} for name in natural}


def _keeps_leaks(evidence: CorpusEvidence) -> bool:
    """Whether test asks what train has: running words of a language, or turns that are said again and again."""
    if evidence.task == "dialogue":
        return True
    has_files = evidence.layout.num_rows.keys() > {"train"}
    return evidence.task in ("normalisation", "spelling") and has_files and evidence.pairs.repeated > 0.2


def _prepare_section(evidence: CorpusEvidence, fraction: float) -> dict[str, Any]:
    longest = max(evidence.source.long_characters, evidence.target.long_characters)
    section: dict[str, Any] = {
        "deduplicate": "none" if evidence.is_repetition_data else "pair",
        **({"leakage": "keep", "leakage_reason": KEPT_LEAKS} if _keeps_leaks(evidence) else {"leakage": "exact"}),
    }
    lost = evidence.layout.empty + (0.0 if evidence.is_repetition_data else evidence.pairs.repeated)
    if lost > EXPECTED_LOST:
        most = min(round(lost + 0.2, 1), round((1 + lost) / 2, 2), 1.0)
        section |= {"warn_dropped_fraction": most, "max_dropped_fraction": max(0.5, most)}
    if longest > 2_500:
        section["max_characters"] = round_up(2 * longest)
    return section | {"dev_fraction": fraction, "test_fraction": fraction}


def _tokenize_section(evidence: CorpusEvidence) -> dict[str, Any]:
    rows, task = evidence.num_different, evidence.task
    section: dict[str, Any] = {}
    if evidence.recordings is not None:
        section["audio"] = {"num_mels": 40, "stack_frames": FRAME_STRIDE, "frame_stride": FRAME_STRIDE}
        section["target"] = choose_units(task, evidence.target, rows, is_target=True)
    elif evidence.pictures is not None:
        section["image"] = choose_image(evidence.pictures, task == "lines")
        section["target"] = choose_units(task, evidence.target, rows, is_target=True)
    elif evidence.is_joint:
        both = describe_texts([text for pair in evidence.layout.pairs for text in pair])
        section |= {"joint": True, "source": choose_units(task, both, 2 * rows, is_target=False, is_joint=True)}
    else:
        section["source"] = choose_units(task, evidence.source, rows, is_target=False)
        if evidence.speech is None:
            section["target"] = choose_units(task, evidence.target, rows, is_target=True)
    if evidence.speech is not None:
        section["speech"] = {"num_mels": 60 if evidence.speech.sample_rate < 16_000 else 80}
        section["source_tags"] = evidence.tags
    elif evidence.tags:
        section |= {"target_tags" if evidence.has_files else "source_tags": evidence.tags, "unknown_tags": "ignore"}
    if has_constant_languages(evidence.layout):
        section["group_columns"] = ["source_language", "target_language"]
    source_model, target_model = _unit_models(section)
    if evidence.recordings is not None:
        section["max_source_tokens"] = max(256, round_up(1.3 * evidence.recordings.max_seconds * FRAMES_PER_SECOND / FRAME_STRIDE))
    elif evidence.pictures is not None:
        section["max_source_tokens"] = max(64, round_up(1.3 * frames_of(evidence.pictures, task == "lines")[1]))
    elif task == "summarisation":
        section |= {"max_source_tokens": 400, "long_source": "truncate"}
    else:
        turns = 3 if evidence.layout.turns is not None else 1
        section["max_source_tokens"] = length_limit(turns * most_units(source_model, evidence.source))
        if task == "dialogue":
            section["long_source"] = "truncate_start"
    section["max_target_tokens"] = (
        length_limit(most_units(target_model, evidence.target))
        if evidence.speech is None
        else max(256, round_up(1.3 * evidence.speech.max_seconds * SPEECH_FRAMES_PER_SECOND))
    )
    return section


def _unit_models(section: dict[str, Any]) -> tuple[str, str]:
    """The subword models of the two sides; empty for frames."""
    source = section.get("source", {}).get("model", "")
    return source, section.get("target", {}).get("model", source)


def _units_a_pair(evidence: CorpusEvidence, tokenize: dict[str, Any]) -> float:
    """Mean tokens (or frames) of a pair that are trained on, both sides together."""
    source_model, target_model = _unit_models(tokenize)

    def read(model: str, side: SideStatistics, most: int, is_cut: bool = False) -> float:
        return mean_units(model, side) - excess_units(model, side, most, is_cut)

    if evidence.speech is not None:
        target = evidence.speech.mean_seconds * SPEECH_FRAMES_PER_SECOND
    else:
        target = read(target_model, evidence.target, tokenize["max_target_tokens"])
    if evidence.recordings is not None:
        return target + evidence.recordings.mean_seconds * FRAMES_PER_SECOND / FRAME_STRIDE
    if evidence.pictures is not None:
        return target + frames_of(evidence.pictures, evidence.task == "lines")[0]
    return target + read(source_model, evidence.source, tokenize["max_source_tokens"], "long_source" in tokenize)


def _units_ratio(evidence: CorpusEvidence, source_model: str, target_model: str) -> float:
    """Tokens of a target for a token of its source, that one pair in a thousand exceeds."""
    pairs = evidence.pairs
    if source_model == target_model:
        return pairs.words_ratio if source_model == "symbols" else pairs.characters_ratio
    target = mean_units(target_model, evidence.target)
    if evidence.pictures is not None:
        return 2 * most_units(target_model, evidence.target) / max(1.0, frames_of(evidence.pictures, evidence.task == "lines")[0])
    source = mean_units(source_model, evidence.source) if source_model else target
    return 2 * max(1.0, target / max(1.0, source))


def _round_down(number: int) -> int:
    step = int(10 ** max(0, len(str(number)) - 2))
    return number // step * step
