"""``/translate`` in LibreTranslate's form, with ``/languages`` and ``/frontend/settings``, so that its clients work."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from babel import Locale, UnknownLocaleError

from seq2seq_core.corpus.pairs import SOURCE_LANGUAGE, TARGET_LANGUAGE
from seq2seq_core.decoding.phrases.wanted_phrases import PHRASE_PARAMS
from seq2seq_core.decoding.prediction import Prediction
from seq2seq_core.json_text import JsonError, parse_object, shorten
from seq2seq_core.serving.front.answer import Answer, RefusedRequest, as_json
from seq2seq_core.serving.front.call import Call
from seq2seq_core.serving.front.scoring_request import JSON, check_list
from seq2seq_core.serving.request_columns import SOURCE_COLUMN
from seq2seq_core.serving.request_reader import RequestReader

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 100
FIELDS = ("q", "source", "target", "format", "alternatives", "api_key")
"""LibreTranslate's own fields."""
UNUSED_FIELDS = frozenset({"secret", "origin"})
"""Fields that LibreTranslate's own pages and clients send too, and which change no translation."""
MIN_CONFIDENCE = "min_confidence"
AUTO = "auto"
"""Asks the server to find out the source's language."""
ANY = {"code": "und", "name": "any language"}
"""A language that the model is not told; the code is that of ISO 639 for an undetermined one."""
FRONTEND_SECONDS = 500
Languages = list[dict[str, Any]]


@dataclass(frozen=True)
class TranslationRequest:
    """A request to ``/translate``.

    Attributes:
        texts: the sources.
        is_list: whether they came as a list, and the answer is one too.
        source: code of the sources' language, or ``auto``.
        target: code of the targets' language.
        alternatives: further hypotheses of each source that are wanted.
        min_confidence: answers of a lower confidence are withheld; None: nobody asked.
        content: all that was given, by name; the model's other tags are among it.
    """

    texts: list[Any]
    is_list: bool
    source: str
    target: str
    alternatives: int
    min_confidence: float | None
    content: Mapping[str, Any]


async def translate(call: Call) -> Answer:
    """The translations of a text or of several, with alternatives where they are wanted.

    Args:
        call: the request.

    Raises:
        RefusedRequest: the request is invalid.
    """
    request = read_translation(call)
    reader = call.visit.served.service.reader
    _check_names(request.content, reader.known_tags)
    columns = {SOURCE_COLUMN: request.texts} | {
        name: [value] * len(request.texts) for name, value in _read_tags(request, reader.known_tags).items()
    }
    wanted, params = 1 + request.alternatives, _read_phrases(request.content)
    if request.min_confidence is not None:
        params[MIN_CONFIDENCE] = request.min_confidence
    if reader.options.method == "beam" and wanted > reader.options.beam_size:
        params["beam_size"] = wanted
    found = await call.predict(columns, params, num_hypotheses=wanted if request.alternatives else None)
    texts, others = [one.text for one in found], [_other_texts(one, request.alternatives) for one in found]
    content: dict[str, Any] = {"translatedText": texts if request.is_list else texts[0]}
    if request.alternatives:
        content["alternatives"] = others if request.is_list else others[0]
    if request.min_confidence is not None:
        for name in ("confidence", "abstained"):
            values = [getattr(one, name) for one in found]
            content[name] = values if request.is_list else values[0]
    if reader.has_lexicon:
        marks = [one.from_lexicon for one in found]
        content["from_lexicon"] = marks if request.is_list else marks[0]
    return as_json(content)


def _check_names(content: Mapping[str, Any], known_tags: Mapping[str, list[str]]) -> None:
    """Checks that every field is one of LibreTranslate's, of this server's or a tag; another one would have no effect."""
    known = [*FIELDS, *PHRASE_PARAMS, MIN_CONFIDENCE, *known_tags]
    if unknown := [name for name in content if name not in {*known, *UNUSED_FIELDS}]:
        raise RefusedRequest(400, f"expected {', '.join(known)}; got the unknown name {shorten(unknown[0])!r}")


def _read_phrases(content: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of phrases: lists of texts, or in a form a text with one a line."""
    found = {}
    for name in PHRASE_PARAMS:
        if given := content.get(name):
            found[name] = [line for line in given.split("\n") if line.strip()] if isinstance(given, str) else given
            check_list(name, found[name])
    return found


def _other_texts(prediction: Prediction, count: int) -> list[str]:
    """The texts of a prediction beside the first, each once."""
    texts = dict.fromkeys(one.text for one in prediction.hypotheses)
    return [text for text in texts if text != prediction.text][:count]


def read_translation(call: Call) -> TranslationRequest:
    """What a request asks for.

    Args:
        call: the request.

    Raises:
        RefusedRequest: the request is invalid, with LibreTranslate's status 400.
    """
    content = read_content(call)
    for name in ("q", "source", "target"):
        if not content.get(name):
            raise RefusedRequest(400, f"Invalid request: missing {name} parameter")
    q, source, target = content["q"], content["source"], content["target"]
    if not isinstance(q, str | list):
        raise RefusedRequest(400, f"q must be a text or a list of texts, got {type(q).__name__}")
    if not isinstance(source, str) or not isinstance(target, str):
        raise RefusedRequest(400, "source and target must be codes of languages")
    if (form := content.get("format") or "text") != "text":
        raise RefusedRequest(400, f"{shorten(str(form))} format is not supported; expected text")
    texts = q if isinstance(q, list) else [q]
    asked = _read_count(content.get("alternatives")), _read_share(MIN_CONFIDENCE, content.get(MIN_CONFIDENCE))
    return TranslationRequest(texts, isinstance(q, list), source, target, *asked, content)


def _read_count(value: Any) -> int:
    """The number of alternatives, which a form gives as a text."""
    if value is None or value == "":
        return 0
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 200:
        raise RefusedRequest(400, f"alternatives must be a number from 0 to 199, got {shorten(repr(value))}")
    return value


def _read_share(name: str, value: Any) -> float | None:
    """A number from 0 to 1, which a form gives as a text; None: nothing was given."""
    if value is None or value == "":
        return None
    try:
        share = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        share = math.nan
    if not 0.0 <= share <= 1.0:
        raise RefusedRequest(400, f"{name} must be a number from 0 to 1, got {shorten(repr(value))}")
    return share


def read_content(call: Call) -> dict[str, Any]:
    """The fields of a request: those of its address, and of its body, JSON or a form.

    Args:
        call: the request.

    Raises:
        RefusedRequest: the body is of another type, or not what its type says.
    """
    kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (JSON, FORM, ""):
        raise RefusedRequest(415, f"expected the Content-Type {JSON} or {FORM}, got {shorten(kind)!r}")
    try:
        fields = _read_form(call.scope.get("query_string", b""))
        if kind == JSON:
            return fields | parse_object(call.body.decode("utf-8"))
        return fields | _read_form(call.body)
    except UnicodeDecodeError:
        raise RefusedRequest(400, "the request must be UTF-8") from None
    except JsonError as error:
        raise RefusedRequest(400, f"Invalid JSON format: {error}") from None
    except ValueError as error:
        raise RefusedRequest(400, f"the form cannot be read: {error}") from None


def _read_form(data: bytes) -> dict[str, Any]:
    """The fields of a form, of each the first; the ends of their lines are single characters."""
    found = parse_qs(data.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    return {name: values[0].replace("\r\n", "\n") for name, values in found.items()}


def _read_tags(request: TranslationRequest, known: Mapping[str, list[str]]) -> dict[str, Any]:
    """The tags of the sources: their languages, and the model's other tags, by their own names."""
    tags = {name: request.content[name] for name in known if name in request.content and name != SOURCE_COLUMN}
    for column, code in ((SOURCE_LANGUAGE, request.source), (TARGET_LANGUAGE, request.target)):
        if column not in known:
            continue
        if code not in known[column]:
            reason = "cannot be found out by this model" if code == AUTO else "is not supported"
            raise RefusedRequest(400, f"{shorten(code)} {reason}; expected one of {', '.join(known[column])}")
        tags[column] = code
    return tags


def read_key(call: Call) -> str:
    """The API key of a request, which is the server's token; empty: it has none.

    Args:
        call: the request.

    Raises:
        RefusedRequest: the request cannot be read.
    """
    key = read_content(call).get("api_key")
    return key if isinstance(key, str) else ""


def as_error(answer: Answer) -> Answer:
    """An answer of status 400 or above in LibreTranslate's form.

    Args:
        answer: the answer of another path in the same case.
    """
    message = str(json.loads(answer.body)["message"])
    return as_json({"error": message}, answer.status, answer.headers)


def list_languages(reader: RequestReader) -> Languages:
    """The languages of a model, each with those into which it is translated.

    A model without language tags has one entry, of any language. One that is told only the target's language takes sources of
    any.

    Args:
        reader: knows the model's tags.
    """
    known = reader.known_tags
    targets = known.get(TARGET_LANGUAGE, [])
    sources = known.get(SOURCE_LANGUAGE, targets)
    entries = [{"code": code, "name": _name(code)} for code in sources]
    if SOURCE_LANGUAGE not in known:
        entries.append(ANY)
    return [{**one, "targets": [code for code in targets if code != one["code"]] or targets or [ANY["code"]]} for one in entries]


def _name(code: str) -> str:
    """The English name of a language; of a code without one, the code."""
    try:
        return Locale.parse(code.replace("-", "_")).get_display_name("en") or code
    except (ValueError, UnknownLocaleError):
        return code


async def show_languages(call: Call) -> Answer:
    """The languages of the model.

    Args:
        call: the request.
    """
    return as_json(list_languages(call.visit.served.service.reader))


def frontend_settings(reader: RequestReader, needs_key: bool) -> dict[str, Any]:
    """What a client shows its user.

    Args:
        reader: knows the model's tags and the limits.
        needs_key: whether requests must have the server's token.
    """
    languages = list_languages(reader)
    first = languages[0]
    target = next((one for one in languages if one["code"] in first["targets"]), first)
    return {
        "apiKeys": needs_key, "keyRequired": needs_key, "charLimit": reader.limits.max_characters, "filesTranslation": False,
        "frontendTimeout": FRONTEND_SECONDS, "suggestions": False, "supportedFilesFormat": [],
        "language": {side: {name: one[name] for name in ("code", "name")} for side, one in (("source", first), ("target", target))},
    }  # fmt: skip
