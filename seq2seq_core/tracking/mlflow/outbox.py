"""Records of a run on the disk until MLflow has them: those of a stage that ended or was killed meanwhile are sent by the next run.

An outbox is a folder. ``records.jsonl`` has the run on its first line, then a record a line, and a line for each record that was
sent; beside it are the copies of files.
"""

from __future__ import annotations

import json
import logging
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from io import TextIOBase
from pathlib import Path

from seq2seq_core import atomic
from seq2seq_core.tracking.mlflow.records import Record
from seq2seq_core.tracking.process_identity import ProcessIdentity, this_process

RECORDS_FILE = "records.jsonl"
_MARK, _LEFT = "~", "left"
"""The mark replaces the slash of a process's identity in a folder's name; host names never contain it. A folder that its process
has left is named so."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Addressee:
    """The run of an outbox.

    Attributes:
        store: address of the MLflow store, without credentials.
        run_id: MLflow's id of the run.
    """

    store: str
    run_id: str


class Outbox:
    """The unsent records of one run in this process; the folder is created with the first one.

    Args:
        parent: the folder of all outboxes.
        addressee: the run.
    """

    def __init__(self, parent: Path, addressee: Addressee) -> None:
        self.parent, self.addressee = parent, addressee
        self._folder: Path | None = None
        self._file: TextIOBase | None = None
        self._lock = threading.Lock()
        self._last, self._is_broken = 0, False
        self._unsent: set[int] = set()

    @property
    def folder(self) -> Path | None:
        """The folder of this outbox; None before the first record and after the end."""
        return self._folder

    def _make_folder(self) -> Path:
        """The folder, created where there is none."""
        if self._folder is None:
            self.parent.mkdir(parents=True, exist_ok=True)
            owner = str(this_process()).replace("/", _MARK)
            self._folder = Path(tempfile.mkdtemp(prefix=f"{owner}.", dir=self.parent))
        return self._folder

    def copy(self, path: Path) -> str:
        """Copies a file or folder, which its owner may change or remove; returns the copy's place below the outbox's folder.

        Args:
            path: the file or folder to copy.

        Raises:
            OSError: the file or folder cannot be read, or the disk is full.
        """
        copy = Path(tempfile.mkdtemp(dir=self._make_folder())) / path.name
        shutil.copytree(path, copy) if path.is_dir() else shutil.copy2(path, copy)
        return f"{copy.parent.name}/{copy.name}"

    def add(self, record: Record) -> int:
        """Writes a record; returns its number. A full disk is only a warning: the record then is in memory alone."""
        with self._lock:
            self._last += 1
            self._unsent.add(self._last)
            self._write({"number": self._last, **asdict(record)})
            return self._last

    def mark_sent(self, first: int, last: int) -> None:
        """Marks records as sent; when no other is unsent, the file starts anew.

        Args:
            first: number of the first of them.
            last: number of the last.
        """
        with self._lock:
            self._unsent.difference_update(range(first, last + 1))
            if self._file is not None and not self._unsent:
                self._file.truncate(0)
                self._write(asdict(self.addressee))
            elif self._file is not None:
                self._write({"sent": [first, last]})

    def close(self, *, is_sent: bool) -> None:
        """Removes the outbox, or leaves it to the next run.

        Args:
            is_sent: whether MLflow has every record.
        """
        with self._lock:
            if self._file is not None:
                self._file.close()
            folder, self._folder, self._file = self._folder, None, None
        if folder is None:
            return
        if is_sent:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            folder.rename(folder.with_name(f"{_LEFT}.{folder.name.rpartition('.')[2]}"))

    def _write(self, line: dict[str, object]) -> None:
        """Appends a line."""
        try:
            if self._file is None:
                self._file = (self._make_folder() / RECORDS_FILE).open("a", encoding="utf-8")
                self._file.write(json.dumps(asdict(self.addressee)) + "\n")
            # The newline in front separates the line from one that a kill cut short; reading skips empty lines.
            self._file.write("\n" + json.dumps(line) + "\n")
            self._file.flush()
        except OSError as error:
            if not self._is_broken:
                logger.warning("what MLflow misses cannot be kept on the disk: %s", error)
            self._is_broken = True


@dataclass(frozen=True)
class LeftOutbox:
    """An outbox whose process has left it or ended.

    Attributes:
        folder: its folder.
        addressee: the run; None where the process was killed before it wrote that.
        records: the unsent records, oldest first.
    """

    folder: Path
    addressee: Addressee | None
    records: tuple[Record, ...]


def find_left(parent: Path) -> Iterator[LeftOutbox]:
    """The outboxes that no living process owns, oldest first; another process may remove one meanwhile.

    Args:
        parent: the folder of all outboxes.
    """
    for _, folder in sorted(_left_folders(parent)):
        try:
            left = read_left(folder)
        except OSError as error:
            logger.warning("what MLflow misses cannot be read: %s", error)
        else:
            yield left


def _left_folders(parent: Path) -> Iterator[tuple[float, Path]]:
    """The folders of outboxes that no living process owns, with the time of their last change."""
    for folder in parent.glob("*.*"):
        with suppress(FileNotFoundError):  # another process has delivered it meanwhile
            if _is_left(folder.name) and stat.S_ISDIR((found := folder.stat()).st_mode):
                yield found.st_mtime, folder


def read_left(folder: Path) -> LeftOutbox:
    """The content of an outbox that no process writes to.

    Args:
        folder: its folder.
    """
    addressee: Addressee | None = None
    records: dict[int, Record] = {}
    for line in _lines(folder / RECORDS_FILE):
        match line:
            case {"store": str(store), "run_id": str(run_id)}:
                addressee, records = Addressee(store, run_id), {}
            case {"sent": [int(first), int(last)]}:
                records = {key: record for key, record in records.items() if not first <= key <= last}
            case {"number": int(number), "kind": kind, "content": dict(content), "tries": int(tries), "tried_at": float(tried_at)}:
                records[number] = Record(kind, content, tries, tried_at)
    return LeftOutbox(folder, addressee, tuple(records.values()))


def keep_records(left: LeftOutbox, records: Sequence[Record]) -> None:
    """Leaves only some records, and their copies of files, in an outbox; without any the outbox is removed.

    Args:
        left: the outbox, whose lock the caller holds.
        records: the records to keep, oldest first.
    """
    if left.addressee is None or not records:
        with suppress(FileNotFoundError):  # another process removes it too
            shutil.rmtree(left.folder)
        return
    lines = [asdict(left.addressee), *({"number": number, **asdict(record)} for number, record in enumerate(records, start=1))]
    atomic.write_text(left.folder / RECORDS_FILE, "".join(json.dumps(line) + "\n" for line in lines))
    copies = {Path(record.content["copy"]).parts[0] for record in records if record.kind == "file"}
    for folder in left.folder.iterdir():
        if folder.is_dir() and folder.name not in copies:
            shutil.rmtree(folder, ignore_errors=True)


def _lines(file: Path) -> Iterator[object]:
    """The lines of a file of JSON; those that a kill cut short are left out."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue


def _is_left(name: str) -> bool:
    """Whether the folder of this name belongs to no living process."""
    owner = ProcessIdentity.parse(name.rpartition(".")[0].replace(_MARK, "/"))
    return name.startswith(f"{_LEFT}.") if owner is None else not owner.is_alive()
