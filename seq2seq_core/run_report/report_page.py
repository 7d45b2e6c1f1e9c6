"""The report of a run as one HTML page, and its file."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.errors import first_line
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
from seq2seq_core.run_report.result_sections import answers_section, lead_blocks, parts_section, scores_section, stages_section
from seq2seq_core.run_report.run_facts import RunFacts, read_run_facts
from seq2seq_core.run_report.stage_end import StageEnd

logger = logging.getLogger(__name__)
SECTIONS: tuple[tuple[str, str, Callable[[RunFacts], Section]], ...] = (
    ("register", "Test scores", scores_section),
    ("evaluate", "Worst parts of the test set", parts_section),
    ("evaluate", "Worst answers", answers_section),
    ("validate", "Contracts", contracts_section),
    ("prepare", "Funnel", funnel_section),
    ("validate", "Leakage", leakage_section),
    ("register", "Drift of the corpus", lambda facts: drift_section(facts.drift)),
    ("prepare", "Samples of rows", samples_section),
    ("tokenize", "Tokenisation", tokens_section),
    ("train", "Training", lambda facts: _training(facts)),
)
"""The sections in order, each with the stage that it is about and its title."""
DAMAGED = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError)
"""What values raise that no stage writes: the file was damaged, or edited by hand."""


def make_page(facts: RunFacts) -> Page:
    """The report as a page. What is of an earlier run than a failure says so.

    Args:
        facts: of the run.
    """
    sections = [stages_section(facts)]
    for stage, title, make in SECTIONS:
        try:
            section = make(facts)
        except DAMAGED as error:
            logger.warning("no section %r in the report of the run: what %s left is damaged (%s)", title, stage, first_line(error))
            section = Section(title, [Text(f"What {stage} left is damaged.", "bad")])
        if section.blocks and facts.is_earlier(stage):
            note = Text(f"Of an earlier run: the last one has no report of {stage}.", "note")
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
