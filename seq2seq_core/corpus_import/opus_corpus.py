"""Corpora of OPUS: found by its API, fetched as two aligned text files (Moses) or a translation memory (TMX)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from seq2seq_core.corpus_import.archives import unpack
from seq2seq_core.corpus_import.http_answers import Web
from seq2seq_core.corpus_import.import_libraries import load_library
from seq2seq_core.corpus_import.import_plan import BuiltCorpus, ImportPlan
from seq2seq_core.corpus_import.licences import find_licence, is_about
from seq2seq_core.corpus_import.resumable_download import Download
from seq2seq_core.corpus_import.size_limit import SizeLimit
from seq2seq_core.corpus_import.tmx_texts import write_aligned
from seq2seq_core.errors import CorpusError, UserError

OpusFormat = Literal["moses", "tmx"]
PAGE = "https://opus.nlpl.eu/{corpus}/corpus/version/{corpus}"
BYTES_A_KILOBYTE = 1000
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}([_-][A-Za-z0-9]{1,8})*")


@dataclass(frozen=True)
class OpusCorpus:
    """A corpus of OPUS in two languages.

    Attributes:
        corpus: its name, such as ``Books``.
        languages: the two languages.
        version: its release, or ``latest``.
        form: the form to fetch.
        api: the address of the API; empty: OPUS's own.
        web: sends the requests.
    """

    corpus: str
    languages: tuple[str, str]
    version: str
    form: OpusFormat
    api: str
    web: Web

    def plan(self) -> ImportPlan:
        """See :class:`~seq2seq_core.corpus_import.import_plan.CorpusPlace`."""
        found = self._find()
        url, version = str(found["url"]), str(found["version"])
        one, other = sorted(self.languages)
        size = found.get("size")
        options = ["--languages", f"{one},{other}", "--version", version, "--format", self.form]
        return ImportPlan(
            kind="opus",
            source=f"OPUS {self.corpus}, {one} and {other}",
            version=version,
            page=PAGE.format(corpus=self.corpus),
            licence="",
            request={"corpus": self.corpus, "languages": f"{one},{other}", "format": self.form},
            command=["opus", self.corpus, *options, *(["--api", self.api] if self.api else [])],
            downloads=[Download(url, urlsplit(url).path.rpartition("/")[2], self.web.size_of(url, what=url))],
            estimated_bytes=int(size) * BYTES_A_KILOBYTE if isinstance(size, int) else None,
        )

    def build(self, fetched: Path, folder: Path, limit: SizeLimit) -> BuiltCorpus:
        """See :class:`~seq2seq_core.corpus_import.import_plan.CorpusPlace`."""
        one, other = sorted(self.languages)
        files = [file for file in fetched.iterdir() if file.name.endswith((".zip", ".tmx.gz", ".tmx"))]
        if self.form == "tmx":
            _, left_out = write_aligned(files[0], folder / f"{self.corpus}.{one}-{other}", (one, other), limit)
            return BuiltCorpus(notes=[f"{left_out:,} units without a text in both languages were left out"] if left_out else [])
        endings = (f".{one}", f".{other}")
        unpack(files[0], folder, limit, wanted=lambda name: name.endswith(endings) or is_about(name))
        texts = [file for file in folder.rglob("*") if file.name.endswith(endings) and not is_about(file.name)]
        _check_aligned(files[0], texts, endings)
        return BuiltCorpus(licence=find_licence(folder))

    def _find(self) -> Mapping[str, Any]:
        """What the API says of the corpus in the wanted form."""
        for language in self.languages:
            if not _LANGUAGE.fullmatch(language):
                raise UserError(f"--languages: must be two codes such as de,en; got {language!r}")
        if not re.fullmatch(r"[\w.-]+", self.corpus) or not re.fullmatch(r"[\w.-]+", self.version):
            raise UserError(
                f"expected a corpus of OPUS such as Books, and a version such as v1; got {self.corpus!r}, {self.version!r}"
            )
        entries = self._ask(self.form)
        if not entries:
            others = sorted({str(entry["preprocessing"]) for entry in self._ask("")})
            there = f"; there is {', '.join(others)} (--format)" if others else "; https://opus.nlpl.eu lists what there is"
            languages = " and ".join(sorted(self.languages))
            raise UserError(f"OPUS has no {self.corpus} ({self.version}) in {languages} as {self.form}{there}")
        return entries[0]

    def _ask(self, form: str) -> list[Mapping[str, Any]]:
        """The entries of the API with an address."""
        one, other = sorted(self.languages)
        opus_get = load_library("opustools.opus_get")
        url = str(opus_get.OpusGet(one, other, self.corpus, self.version, form).url).rstrip("&")
        if self.api:
            url = f"{self.api.rstrip('/?')}?{url.partition('?')[2]}"
        answer = self.web.read_json(url, "the API of OPUS")
        entries = answer.get("corpora") if isinstance(answer, dict) else None
        if not isinstance(entries, list):
            raise UserError(f"the API of OPUS: expected a list of corpora, got {str(answer)[:80]!r}")
        wanted = {"url", "version", "preprocessing"}
        return [entry for entry in entries if isinstance(entry, dict) and wanted <= entry.keys() and entry.get("target")]


def _check_aligned(archive: Path, texts: list[Path], endings: tuple[str, str]) -> None:
    """Refuses an archive that has not one file for each language, with as many lines each."""
    stems: dict[str, dict[str, Path]] = {}
    for text in texts:
        stems.setdefault(str(text.with_suffix("")), {})[text.suffix] = text
    if not stems or any(len(sides) != 2 for sides in stems.values()):
        names = ", ".join(text.name for text in texts) or "none"
        raise CorpusError(f"must hold one file for each of {' and '.join(endings)}; got {names}", archive)
    for sides in stems.values():
        counts = {path.name: _count_lines(path) for path in sides.values()}
        if len(set(counts.values())) > 1:
            shown = ", ".join(f"{name} {number:,}" for name, number in counts.items())
            raise CorpusError(f"aligned files must have as many lines each; got {shown}", archive)


def _count_lines(file: Path) -> int:
    with file.open("rb") as stream:
        return sum(1 for _ in stream)
