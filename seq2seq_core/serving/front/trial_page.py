"""The page at ``/``, on which a person tries the model by hand, and the route ``/try`` that answers it."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from seq2seq_core.decoding.prediction import Alignment, TextHypothesis
from seq2seq_core.json_text import JsonError, parse_object, shorten
from seq2seq_core.serving.front.answer import Answer, RefusedRequest, as_json
from seq2seq_core.serving.front.call import Call
from seq2seq_core.serving.front.scoring_request import JSON, check_content_type, read_params
from seq2seq_core.serving.request_columns import SOURCE_COLUMN

HTML = "text/html; charset=utf-8"
PAGE_FILE = Path(__file__).with_name("trial_page.html")
FIELDS = ("source", "tags", "params", "num_hypotheses", "alignments")
MOST_HYPOTHESES = 50
MOST_CELLS = 40_000
"""A larger alignment is left out of an answer: nobody could see anything in its picture."""


@dataclass(frozen=True)
class TrialRequest:
    """A request to ``/try``.

    Attributes:
        source: a text, or a recording or picture in base64.
        tags: the model's tags, by name.
        params: decoding options.
        num_hypotheses: hypotheses that are wanted.
        alignments: whether each should have its alignment.
    """

    source: Any
    tags: Mapping[str, Any]
    params: Mapping[str, Any]
    num_hypotheses: int
    alignments: bool


async def show_page(call: Call) -> Answer:
    """The page.

    Args:
        call: the request.
    """
    return _page()


@cache
def _page() -> Answer:
    """The page with a policy that lets a browser run and load nothing but what is in it."""
    text = PAGE_FILE.read_text(encoding="utf-8")
    kinds = {"script-src": "script", "style-src": "style"}
    allowed = "; ".join(f"{rule} {_digest(text, element)}" for rule, element in kinds.items())
    policy = (
        f"default-src 'none'; {allowed}; connect-src 'self'; img-src data:; media-src data:; base-uri 'none'; form-action 'none'"
    )
    headers = {
        "content-security-policy": f"{policy}; frame-ancestors 'none'", "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer", "cache-control": "no-cache",
    }  # fmt: skip
    return Answer(200, text.encode(), HTML, headers)


def _digest(text: str, element: str) -> str:
    """The source expression of the one element of a kind in a page (Content Security Policy Level 3, section 2.3.1)."""
    (content,) = re.findall(rf"<{element}>(.*?)</{element}>", text, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


async def answer_trial(call: Call) -> Answer:
    """To GET, what the page must know of the model; to POST, the hypotheses for one source with scores and alignments.

    Args:
        call: the request.

    Raises:
        RefusedRequest: the request is invalid.
    """
    if call.scope["method"] != "POST":
        return as_json(describe_model(call))
    request = read_trial(call)
    columns = {SOURCE_COLUMN: [request.source]} | {name: [value] for name, value in request.tags.items()}
    (found,) = await call.predict(columns, request.params, request.alignments, request.num_hypotheses)
    return as_json(_name_version(call) | {"hypotheses": [_show(one, request.alignments) for one in found.hypotheses]})


def describe_model(call: Call) -> dict[str, Any]:
    """What the page must know of the model.

    Args:
        call: the request.
    """
    reader = call.visit.served.service.reader
    audio, options = reader.config.audio, reader.options
    kind = "recording" if audio is not None else "text" if reader.config.pictures is None else "picture"
    return _name_version(call) | {
        "source_kind": kind, "sample_rate": None if audio is None else audio.sample_rate,
        "speaks": reader.config.speech is not None, "tags": reader.known_tags, "method": options.method,
        "beam_size": options.beam_size, "has_confidence": reader.calibrator is not None, "min_confidence": options.min_confidence,
    }  # fmt: skip


def _name_version(call: Call) -> dict[str, Any]:
    """The version that answers."""
    served = call.visit.served
    return {"name": served.name, "version": served.number, "digest": served.digest}


def read_trial(call: Call) -> TrialRequest:
    """What a request asks for.

    Args:
        call: the request.

    Raises:
        RefusedRequest: with status 400 or 415, and what was expected.
    """
    if check_content_type(call.headers.get("content-type", "")) != JSON:
        raise RefusedRequest(415, f"expected the Content-Type {JSON}")
    try:
        content = parse_object(call.body.decode("utf-8"))
    except (UnicodeDecodeError, JsonError) as error:
        raise RefusedRequest(400, f"the body must be a JSON object, got something else: {error}") from None
    if unknown := [name for name in content if name not in FIELDS]:
        raise RefusedRequest(400, f"expected {', '.join(FIELDS)}; got the unknown name {shorten(unknown[0])!r}")
    served, tags, params = call.visit.served, content.get("tags", {}), content.get("params", {})
    _check_tags(tags, served.service.reader.config.tags.all)
    read_params(params, served.parameters)
    count, alignments = content.get("num_hypotheses", 1), content.get("alignments", False)
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_HYPOTHESES:
        raise RefusedRequest(400, f"num_hypotheses must be a number from 1 to {MOST_HYPOTHESES}, got {shorten(repr(count))}")
    if not isinstance(alignments, bool):
        raise RefusedRequest(400, f"alignments must be true or false, got {shorten(repr(alignments))}")
    return TrialRequest(content.get("source"), tags, params, count, alignments)


def _check_tags(given: Any, known: tuple[str, ...] | list[str]) -> None:
    if not isinstance(given, dict):
        raise RefusedRequest(400, f"tags must be an object, got {type(given).__name__}")
    if unknown := [name for name in given if name not in known]:
        raise RefusedRequest(400, f"tags.{shorten(unknown[0])}: unknown; the model has {', '.join(known) or 'none'}")


def _show(hypothesis: TextHypothesis, with_alignment: bool) -> dict[str, Any]:
    """A hypothesis as JSON; a score that is no number, which JSON lacks, is null."""
    alignment = hypothesis.alignment if with_alignment else None
    is_large = alignment is not None and alignment.weights_TS.size > MOST_CELLS
    return {
        "text": hypothesis.text, "score": _finite(hypothesis.score), "log_probability": _finite(hypothesis.log_probability),
        "is_cut": hypothesis.is_cut, "source_is_cut": hypothesis.source_is_cut,
        "confidence": hypothesis.confidence, "abstained": hypothesis.abstained, "from_lexicon": hypothesis.from_lexicon,
        "alignment": None if alignment is None or is_large else _show_alignment(alignment),
        "has_large_alignment": is_large,
    }  # fmt: skip


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _show_alignment(alignment: Alignment) -> dict[str, Any]:
    weights = [[round(float(weight), 3) for weight in row] for row in alignment.weights_TS]
    return {"source_pieces": alignment.source_pieces, "target_pieces": alignment.target_pieces, "weights": weights}
