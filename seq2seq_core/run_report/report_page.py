"""The report of a run as one HTML page, and its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.model_card.blocks import Page, Section, Text
from seq2seq_core.model_card.drift_section import drift_section
from seq2seq_core.model_card.facts import Origin
from seq2seq_core.model_card.html_page import to_html
from seq2seq_core.model_card.origin import describe_training
from seq2seq_core.model_card.origin_sections import training_section
from seq2seq_core.run_report.data_sections import (
    contracts_section,
    funnel_section,
    leakage_section,
    samples_section,
    tokens_section,
)
from seq2seq_core.run_report.result_sections import lead_blocks, parts_section, scores_section, stages_section
from seq2seq_core.run_report.run_facts import RunFacts, read_run_facts
from seq2seq_core.run_report.stage_end import StageEnd

SECTIONS: tuple[tuple[str, Callable[[RunFacts], Section]], ...] = (
    ("register", scores_section),
    ("evaluate", parts_section),
    ("validate", contracts_section),
    ("prepare", funnel_section),
    ("validate", leakage_section),
    ("register", lambda facts: drift_section(facts.drift)),
    ("prepare", samples_section),
    ("tokenize", tokens_section),
    ("train", lambda facts: _training(facts)),
)
"""The sections in order, each with the stage that it is about."""


def make_page(facts: RunFacts) -> Page:
    """The report as a page. What is of an earlier run than a failure says so.

    Args:
        facts: of the run.
    """
    sections = [stages_section(facts)]
    for stage, make in SECTIONS:
        section = make(facts)
        if section.blocks and facts.is_earlier(stage):
            note = Text(f"Of an earlier run: in the last one, {stage} did not run.", "note")
            section = Section(section.title, [note, *section.blocks])
        sections.append(section)
    if facts.failure is not None and facts.failure.stage in ("validate", "prepare"):  # what failed is about the data
        sections.sort(key=lambda section: section.title not in ("Stages", "Contracts", "Funnel", "Leakage", "Samples of rows"))
    return Page(f"Run of {facts.title}", lead_blocks(facts), sections, has_contents=True)


def _training(facts: RunFacts) -> Section:
    return training_section(Origin(training=describe_training(facts.training), curve=list(facts.curve)))


def write_report(paths: Paths, title: str, end: StageEnd | None = None, file: Path | None = None) -> Path:
    """Writes the report; returns its path.

    Args:
        paths: the workspace; reads the reports of its stages.
        title: of the page, such as the name of the model.
        end: of the stage that ends just now; None: none does.
        file: where to; None: ``reports/run.html``.
    """
    page = file or paths.run_report
    atomic.write_text(page, to_html(make_page(read_run_facts(paths, title, end))))
    return page
