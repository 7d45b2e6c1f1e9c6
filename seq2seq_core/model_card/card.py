"""The card of a version: its facts as a page, in HTML and Markdown, and as JSON for a later decision."""

from __future__ import annotations

from seq2seq_core.model_card.blocks import Page
from seq2seq_core.model_card.confidence_section import confidence_section
from seq2seq_core.model_card.drift_section import drift_section
from seq2seq_core.model_card.facts import CardFacts
from seq2seq_core.model_card.html_page import to_html
from seq2seq_core.model_card.markdown_page import to_markdown
from seq2seq_core.model_card.origin_sections import (
    data_section,
    limits_section,
    lineage_section,
    purpose_section,
    runtime_section,
    training_section,
)
from seq2seq_core.model_card.quality_sections import (
    decision_lead,
    metrics_section,
    significance_section,
    slices_section,
    worst_section,
)

HTML_FILE, MARKDOWN_FILE, FACTS_FILE = "model_card.html", "model_card.md", "model_card.json"


def make_page(facts: CardFacts) -> Page:
    """The card as a page.

    Args:
        facts: all of them; what is missing is left out.
    """
    answers, decision = facts.answers, facts.decision
    return Page(
        f"{facts.model}, version {facts.version}",
        decision_lead(decision, facts.standing),
        [
            purpose_section(facts),
            metrics_section(decision),
            significance_section(decision),
            slices_section(answers, decision),
            worst_section(answers),
            confidence_section(answers, decision.metric),
            limits_section(facts.origin, answers),
            data_section(facts.origin),
            drift_section(facts.drift),
            training_section(facts.origin),
            runtime_section(facts.runtime),
            lineage_section(facts),
        ],
    )


def render_card(facts: CardFacts) -> dict[str, str]:
    """The card's files, by name.

    Args:
        facts: of the version.
    """
    page = make_page(facts)
    return {
        HTML_FILE: to_html(page),
        MARKDOWN_FILE: to_markdown(page),
        FACTS_FILE: facts.model_dump_json(indent=1) + "\n",
    }
