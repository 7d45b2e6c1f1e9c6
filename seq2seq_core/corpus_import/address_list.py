"""Lists of addresses: a URL a line, each with a checksum where there is one."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from seq2seq_core.corpus_import.archives import check_name, is_archive, unpack
from seq2seq_core.corpus_import.checksums import parse_checksum
from seq2seq_core.corpus_import.http_answers import Web
from seq2seq_core.corpus_import.import_plan import BuiltCorpus, ImportPlan
from seq2seq_core.corpus_import.licences import find_licence
from seq2seq_core.corpus_import.resumable_download import Download
from seq2seq_core.corpus_import.size_limit import SizeLimit
from seq2seq_core.corpus_import.tmx_texts import TMX_ENDINGS, write_aligned
from seq2seq_core.errors import CorpusError, UserError
from seq2seq_core.redaction.redactor import redact

NAME_MARK = "name="


@dataclass(frozen=True)
class AddressList:
    """The files of a list of addresses.

    Attributes:
        places: files of lists, and addresses.
        languages: the two languages of translation memories; empty: those that each has.
        web: sends the requests.
    """

    places: Sequence[str]
    languages: Sequence[str]
    web: Web

    def plan(self) -> ImportPlan:
        """See :class:`~seq2seq_core.corpus_import.import_plan.CorpusPlace`."""
        found = [one for place in self.places for one in _read_place(place)]
        names = [one.name for one in found]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UserError(f"{', '.join(twice)}: two addresses of this name; expected `{NAME_MARK}OTHER` behind one of them")
        if not found:
            raise UserError(f"{', '.join(self.places)}: expected at least one address, got none")
        sized = [Download(one.url, one.name, self.web.size_of(one.url, what=one.name), one.checksum) for one in found]
        shown = [redact(one.url) for one in found]
        languages = ",".join(self.languages)
        return ImportPlan(
            kind="urls",
            source=shown[0] if len(shown) == 1 else f"{len(shown)} files, among them {shown[0]}",
            version="",
            page="",
            licence="",
            request={"addresses": "\n".join(sorted(_in_words(one) for one in found)), "languages": languages},
            command=["urls", *map(redact, self.places), *(["--languages", languages] if languages else [])],
            downloads=sized,
        )

    def build(self, fetched: Path, folder: Path, limit: SizeLimit) -> BuiltCorpus:
        """See :class:`~seq2seq_core.corpus_import.import_plan.CorpusPlace`."""
        built = BuiltCorpus()
        for one in sorted((one for place in self.places for one in _read_place(place)), key=lambda one: one.name):
            file = fetched / one.name
            if is_archive(one.name):
                unpack(file, folder, limit)
            elif one.name.lower().endswith(TMX_ENDINGS):
                stem = folder / one.name[: one.name.lower().rindex(".tmx")]
                _, left_out = write_aligned(file, stem, self.languages, limit)
                built.notes += (
                    [f"{one.name}: {left_out:,} units without a text in both languages were left out"] if left_out else []
                )
            else:
                if (folder / one.name).exists():
                    raise CorpusError(f"{one.name}: an archive of the list has a file of this name too", one.name)
                limit.take(file.stat().st_size, one.name)
                shutil.copyfile(file, folder / one.name)
        built.licence = find_licence(folder)
        return built


def _in_words(download: Download) -> str:
    """A line of a list again, without credentials."""
    return " ".join([redact(download.url), *([str(download.checksum)] if download.checksum else []), f"{NAME_MARK}{download.name}"])


def _read_place(place: str) -> list[Download]:
    """The addresses of one argument: its own, or those in the file that it names."""
    if "://" in place:
        return [_read_line(place, place)]
    file = Path(place)
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise UserError(f"{place}: no such file; expected a file with an address a line, or an address (https://...)") from None
    except (IsADirectoryError, UnicodeDecodeError):
        raise UserError(f"{place}: expected a text file (UTF-8) with an address a line") from None
    numbered = ((number, line.strip()) for number, line in enumerate(lines, 1))
    return [_read_line(line, f"{place}:{number}") for number, line in numbered if line and not line.startswith("#")]


def _read_line(line: str, where: str) -> Download:
    """The file that a line of a list names: ``URL [ALGORITHM:HEX] [name=NAME]``."""
    url, *others = line.split()
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UserError(f"{where}: expected an address of HTTP or HTTPS, got {redact(url)!r} ({error})") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        advice = "`dvc import-url` fetches from other kinds of storage"
        raise UserError(f"{where}: must begin with an address of HTTP or HTTPS, got {redact(url)!r}; {advice}")
    name, checksum = unquote(parts.path).rpartition("/")[2], None
    for other in others:
        if other.startswith(NAME_MARK):
            name = other.removeprefix(NAME_MARK)
            continue
        try:
            checksum = parse_checksum(other)
        except UserError as error:
            raise UserError(f"{where}: {error}, or {NAME_MARK}NAME") from None
    if not name or "/" in name or name.startswith("."):
        raise UserError(f"{where}: the address ends in no file's name; expected `{NAME_MARK}NAME` behind it, got {name!r}")
    check_name(name, Path(where))
    return Download(url, name, checksum=checksum)
