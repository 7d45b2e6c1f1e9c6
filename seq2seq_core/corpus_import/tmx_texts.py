"""Translation memories (TMX 1.4b) as two aligned text files."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from seq2seq_core.corpus_import.import_libraries import load_library
from seq2seq_core.corpus_import.size_limit import LimitedStream, SizeLimit
from seq2seq_core.errors import CorpusError, first_line, library_errors

TMX_ENDINGS = (".tmx", ".tmx.gz")
MOST_BYTES_A_UNIT = 50_000_000
LANGUAGE = re.compile(r"[A-Za-z0-9]+([_-][A-Za-z0-9]+)*")
"""A code of a language, which becomes the ending of a file's name."""
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_MARKUP = frozenset({"bpt", "ept", "it", "ph", "ut"})
"""Elements whose text is another program's markup; of ``hi`` and ``sub`` the text counts."""


def write_aligned(memory: Path, stem: Path, languages: Sequence[str], limit: SizeLimit) -> tuple[list[str], int]:
    """Writes the units of a translation memory as two aligned files; returns their languages, and the units left out.

    A unit without a text in both languages is left out. Line breaks in a text become spaces.

    Args:
        memory: the file, plain or ``.gz``.
        stem: the place of the files without their endings, which are the languages.
        languages: the two languages; empty: the first two of the file.
        limit: bounds what a compressed file may hold.

    Raises:
        CorpusError: it is no such file, has no text in two languages, or languages that are no codes.
    """
    chosen, left_out, number = list(languages), 0, 0
    drafts = [stem.with_name(f"{stem.name}.side{side}") for side in (0, 1)]
    with drafts[0].open("w", encoding="utf-8", newline="\n") as one, drafts[1].open("w", encoding="utf-8", newline="\n") as other:
        for unit in _units(memory, limit):
            if not chosen and len(unit) > 1:
                chosen = sorted(list(unit)[:2])
            texts = [_find(unit, language) for language in chosen] or ["", ""]
            if not all(texts):
                left_out += 1
                continue
            one.write(f"{texts[0]}\n")
            other.write(f"{texts[1]}\n")
            number += 1
    if not number:
        wanted = " and ".join(languages) or "two languages"
        raise CorpusError(f"has no unit with texts in {wanted}; --languages names the two", memory)
    if faulty := next((language for language in chosen if not LANGUAGE.fullmatch(language)), None):
        raise CorpusError(f"has the language {faulty[:80]!r}; expected a code such as de-AT, or --languages", memory)
    for draft, language in zip(drafts, chosen, strict=True):
        draft.replace(stem.with_name(f"{stem.name}.{language}"))
    return chosen, left_out


def _units(memory: Path, limit: SizeLimit) -> Iterator[dict[str, str]]:
    """The texts of each unit by language. Entities of the file's own, which can expand without end, are refused."""
    xml = load_library("defusedxml.ElementTree")
    body: Any = None
    with memory.open("rb") as raw:
        opened = gzip.GzipFile(fileobj=raw) if memory.name.lower().endswith(".gz") else raw
        stream = LimitedStream(cast("BinaryIO", opened), limit, memory.name, MOST_BYTES_A_UNIT)
        with library_errors(lambda error: _unreadable_memory(memory, error), xml.ParseError, zlib.error):
            for event, element in xml.iterparse(stream, events=("start", "end")):
                name = element.tag.rpartition("}")[2]
                if event == "start":
                    body = element if name == "body" else body
                elif name == "tu":
                    yield {language: text for language, text in map(_variant, element) if language}
                    if body is not None:
                        body.clear()  # a memory of millions of units is never held whole
                    stream.forget()


def _unreadable_memory(memory: Path, error: Exception) -> CorpusError:
    return CorpusError(f"cannot be read as TMX ({first_line(error) or type(error).__name__})", memory)


def _variant(element: Any) -> tuple[str, str]:
    """Language and text of a variant; an empty language for any other element."""
    if element.tag.rpartition("}")[2] != "tuv":
        return "", ""
    segment = next((child for child in element if child.tag.rpartition("}")[2] == "seg"), None)
    text = "" if segment is None else "".join(_pieces(segment))
    lines = (line.strip(" \t") for line in text.splitlines())
    return element.get(_LANGUAGE) or element.get("lang") or "", " ".join(lines).strip()


def _pieces(element: Any) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        if child.tag.rpartition("}")[2] not in _MARKUP:
            yield from _pieces(child)
        yield child.tail or ""


def _find(unit: dict[str, str], language: str) -> str:
    """The text in a language, also in one of its regions: ``de`` finds ``de-AT``."""
    asked = language.lower().replace("_", "-")
    names = {name.lower().replace("_", "-"): text for name, text in unit.items()}
    return names.get(asked) or next((text for name, text in names.items() if name.partition("-")[0] == asked), "")
