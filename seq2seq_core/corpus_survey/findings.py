"""What a survey found and decided, a line each, in words."""

from __future__ import annotations

from typing import Any

from seq2seq_core.corpus_survey.choices.split_choice import FEWEST_PROVING_ROWS, FEWEST_TEST_ROWS, SplitChoice
from seq2seq_core.corpus_survey.choices.unit_choice import longer_share
from seq2seq_core.corpus_survey.evidence import CorpusEvidence

SCRIPTS = {"CJK": "Chinese characters", "HIRAGANA": "Japanese characters", "KATAKANA": "Japanese characters"}
"""Scripts that Unicode names otherwise than people do."""

USUAL_EMPTY, TOLD_LONGER = 0.02, 0.01
"""From this share on, rows with an empty side, and texts that are too long, are told."""
NAMED_FAULTS = 5
"""Unusable files that are named."""
MORE_ROWS = "more pairs, or a file for test, change that"


def describe_findings(evidence: CorpusEvidence, sections: dict[str, dict[str, Any]], split: SplitChoice) -> list[str]:
    """What was found about the texts, and what was decided.

    Args:
        evidence: about the corpus.
        sections: the proposed settings.
        split: its splits.
    """
    findings = []
    for name, side, language in zip(
        ("source", "target"), (evidence.source, evidence.target), evidence.layout.languages, strict=True
    ):
        if (sound := evidence.recordings if name == "source" else evidence.speech) is not None:
            findings.append(
                f"{name}: recordings of {sound.mean_seconds:.1f} s on average, at most {sound.max_seconds:.1f} s, "
                f"{sound.sample_rate} samples a second" + (" (other rates are resampled)" if name == "target" else "")
            )
            continue
        if name == "source" and evidence.pictures is not None:
            shown = evidence.pictures
            colours = "coloured" if shown.has_colour else "mostly grey"
            findings.append(f"source: pictures of about {shown.width} × {shown.height} pixels, {colours}")
            continue
        script = SCRIPTS.get(side.script, f"{side.script.capitalize()} letters") if side.script else "no letters"
        findings.append(
            f"{name}: {f'language {language}, ' if language else ''}{script}, {side.mean_words:.1f} words and "
            f"{side.mean_characters:.0f} characters on average, {len(side.characters):,} different characters"
            + (f", {100 * side.empty:.2g} % empty" if side.empty else "")
        )
    if languages := sections["corpus"].get("languages"):
        told = ", ".join(f"{side} {language}" for side, language in languages.items())
        findings.append(f"languages: {told}, by the texts themselves; validate reports rows in another one (corpus.languages)")
    findings.append(f"task: {evidence.task}, because {evidence.reason} (--task)")
    if evidence.tags:
        setting = "tokenize.target_tags" if evidence.has_files else "tokenize.source_tags"
        findings.append(f"tags: {', '.join(evidence.tags)} tells which target of a source is asked for ({setting})")
    elif evidence.speech is not None:
        findings.append("voice: one for all rows; a column that says who speaks would be a tag (tokenize.source_tags)")
    if evidence.pairs.repeated:
        kept = "kept, because how often a pair occurs is data here" if evidence.is_repetition_data else "dropped"
        share = 100 * evidence.pairs.repeated
        findings.append(f"repetition: {share:.1f} % of the train pairs repeat an earlier one: {kept} (prepare.deduplicate)")
    else:
        findings.append("repetition: no train pair repeats an earlier one (prepare.deduplicate)")
    findings += [*_describe_faults(evidence, split), *_describe_limits(evidence, sections)]
    return [*findings, *_describe_sizes(sections), *_describe_gate(split)]


def _describe_faults(evidence: CorpusEvidence, split: SplitChoice) -> list[str]:
    """The files that cannot be used: their number, and the rows of some."""
    described = evidence.recordings or evidence.speech or evidence.pictures
    faults = split.faults | (described.faults if described else {})
    if not faults:
        return []
    kind = "pictures" if evidence.pictures else "recordings"
    pairs, first = evidence.layout.pairs, evidence.layout.first_line
    places = {pair[evidence.speech is not None]: number for number, pair in reversed([*enumerate(pairs)])}
    rows = sorted((places.get(name, 0), name, reason) for name, reason in faults.items())
    told = [f"{f'line {first + number}: ' if first else ''}{name!r}: {reason}" for number, name, reason in rows[:NAMED_FAULTS]]
    more = "; …" if len(rows) > NAMED_FAULTS else ""
    return [
        f"unusable: {len(rows)} {kind} that rows of train name, of those looked at: {'; '.join(told)}{more}; s2s validate names "
        "each with its line, and stops: repair them or remove the rows"
    ]


def _describe_limits(evidence: CorpusEvidence, sections: dict[str, dict[str, Any]]) -> list[str]:
    """The limits that were set, or switched off, because of what the rows are like."""
    validate, tokenize, found = sections["validate"], sections["tokenize"], []
    if (empty := evidence.layout.empty) > USUAL_EMPTY:
        found.append(
            f"empty: {100 * empty:.2g} % of the rows have an empty side, and are dropped; validate accepts "
            f"{100 * validate['empty']['limit']:.2g} % (validate.empty)"
        )
    if (conflicts := validate.get("conflicting_targets")) and evidence.pairs.conflicting > 0.05:
        accepted = "any share" if conflicts["severity"] == "off" else f"{100 * conflicts['limit']:.2g} %"
        found.append(
            f"conflicts: {100 * evidence.pairs.conflicting:.2g} % of the train pairs have a source that came before with another "
            f"target; validate accepts {accepted} (validate.conflicting_targets)"
        )
    if "max_dropped_fraction" in sections["prepare"]:
        most = 100 * sections["prepare"]["max_dropped_fraction"]
        found.append(
            f"losses: prepare may drop {most:.3g} % of train, as so many pairs are repeated or empty (prepare.max_dropped_fraction)"
        )
    for name, side in (("source", evidence.source), ("target", evidence.target)):
        if name not in tokenize or "long_source" in tokenize:
            continue
        most = tokenize[f"max_{name}_tokens"]
        if (share := longer_share(tokenize[name]["model"], side, most)) > TOLD_LONGER:
            found.append(
                f"length: about {100 * share:.2g} % of the {name}s have more than {most:,} tokens; such pairs are dropped from "
                f"train (tokenize.max_{name}_tokens)"
            )
    return found


def _describe_sizes(sections: dict[str, dict[str, Any]]) -> list[str]:
    tokenize, model, train = sections["tokenize"], sections["model"], sections["train"]
    units = [
        f"{side} {tokenize[side]['model']}, at most {tokenize[side]['vocabulary_size']:,}"
        for side in ("source", "target")
        if side in tokenize
    ]
    joint = ", one vocabulary for both sides" if tokenize.get("joint") else ""
    length = (
        f"at most {train['max_steps']:,} updates, stopped early" if train["patience"] else f"{train['max_steps']:,} updates, judged"
    )
    together = "references: rows of test with the same source are one row with several right answers (evaluate.references)"
    return [
        f"units: {'; '.join(units)}{joint} (tokenize)",
        f"model: {model['architecture']} of width {model['width']} (model); {length} by {train['dev_metric']} on dev (train)",
        f"score: {sections['register']['metric']} on test decides which version serves (register.metric)",
        *([together] if "references" in sections["evaluate"] else []),
    ]


def _describe_gate(split: SplitChoice) -> list[str]:
    rows = split.minimum_rows
    if rows is None:
        return []
    if split.test_rows < FEWEST_PROVING_ROWS:
        return [
            f"gate: test has {split.test_rows} rows, of which no number of right answers proves anything: no version becomes the "
            f"champion; {MORE_ROWS}, or register.gate.baselines false lets one in without proof (register.gate)"
        ]
    if split.test_rows < FEWEST_TEST_ROWS:
        return [
            f"gate: test has about {split.test_rows} rows, so a version may become the champion with {rows} rows or more, if it is "
            f"far better than any trivial answer; its score says little of other texts; {MORE_ROWS} (register.gate.minimum_rows)"
        ]
    return [
        f"gate: test is small, so a version may become the champion with {rows} rows or more; to prove that it is "
        "better than the champion, it must be much better (register.gate.minimum_rows)"
    ]
