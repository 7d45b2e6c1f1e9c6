"""Datasets of Hugging Face: by name from its hub, or a folder of the same layout on the disk."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq_core.corpus_import.archives import check_name
from seq2seq_core.corpus_import.checksums import Checksum, compute
from seq2seq_core.corpus_import.dataset_rows import files_by_split, write_rows
from seq2seq_core.corpus_import.http_answers import Web
from seq2seq_core.corpus_import.import_libraries import load_library
from seq2seq_core.corpus_import.import_plan import BuiltCorpus, ImportPlan
from seq2seq_core.corpus_import.licences import find_licence, is_about
from seq2seq_core.corpus_import.resumable_download import Download, Downloader
from seq2seq_core.corpus_import.size_limit import SizeLimit
from seq2seq_core.errors import EnvironmentFault, UserError, first_line, library_errors
from seq2seq_core.redaction.redactor import remember_values
from seq2seq_core.reproducibility import digest

CARD = "README.md"
SETTINGS_OF_CARDS = (CARD, ".huggingface.yaml")
MOST_CARD_BYTES = 20_000_000
_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")


@dataclass(frozen=True)
class HubDataset:
    """A dataset on the hub.

    Attributes:
        name: such as ``opus_books`` or ``Helsinki-NLP/opus_books``.
        configuration: one of its configurations; None: the only one.
        revision: a branch, tag or commit; None: the main branch.
        endpoint: the address of the hub; None: that of ``HF_ENDPOINT``, or Hugging Face's own.
        web: sends the requests for files.
    """

    name: str
    configuration: str | None
    revision: str | None
    endpoint: str | None
    web: Web

    def plan(self) -> ImportPlan:
        """See :class:`~seq2seq_core.corpus_import.import_plan.CorpusPlace`."""
        info = self._ask()
        files = {str(one.rfilename): one for one in info.siblings or []}
        with tempfile.TemporaryDirectory(prefix="s2s-import-") as folder:
            outline = Path(folder) / self.name.rpartition("/")[2]
            self._draw_outline(files, str(info.sha), outline)
            wanted = {name for names in files_by_split(outline, self.configuration, Path(folder)).values() for name in names}
            licence = read_card_licence(outline)
        about = {name for name in files if name in SETTINGS_OF_CARDS or ("/" not in name and is_about(name))}
        shown = f"Hugging Face dataset {self.name}"
        options = ["--revision", str(info.sha), *(["--configuration", self.configuration] if self.configuration else [])]
        return ImportPlan(
            kind="huggingface",
            source=f"{shown}, configuration {self.configuration}" if self.configuration else shown,
            version=str(info.sha),
            page=f"{self._endpoint()}/datasets/{self.name}",
            licence=licence,
            request={"dataset": self.name, "configuration": self.configuration or ""},
            command=["huggingface", self.name, *options],
            downloads=[self._download(files[name], str(info.sha)) for name in sorted(wanted | about)],
        )

    def build(self, fetched: Path, folder: Path, limit: SizeLimit) -> BuiltCorpus:
        """See :class:`~seq2seq_core.corpus_import.import_plan.CorpusPlace`."""
        return build_from_folder(fetched, self.configuration, folder, limit)

    def _ask(self) -> Any:
        """What the hub says of the dataset."""
        if not _NAME.fullmatch(self.name):
            raise UserError(f"{self.name}: no such folder, and no name of a dataset; expected OWNER/NAME or a folder")
        errors = load_library("huggingface_hub.errors")
        api = load_library("huggingface_hub").HfApi(endpoint=self.endpoint)
        try:
            return api.dataset_info(self.name, revision=self.revision, files_metadata=True, timeout=60)
        except errors.GatedRepoError:
            advice = "expected HF_TOKEN of an account that has accepted the dataset's terms on its page"
            raise UserError(f"{self.name}: Hugging Face gives this dataset only to some; {advice}") from None
        except errors.RevisionNotFoundError:
            raise UserError(f"{self.name}: has no revision {self.revision!r}; expected a branch, a tag or a commit") from None
        except errors.RepositoryNotFoundError:
            advice = "expected OWNER/NAME as on its page, and HF_TOKEN for a private one"
            raise UserError(f"{self.name}: Hugging Face has no such dataset; {advice}") from None
        except errors.OfflineModeIsEnabled:
            raise UserError(f"{self.name}: HF_HUB_OFFLINE forbids asking Hugging Face; expected it unset, or a folder") from None
        except errors.HTTPError as error:
            raise EnvironmentFault(f"{self.name}: {self._endpoint()} did not answer as expected ({first_line(error)})") from None
        except errors.HFValidationError as error:
            raise UserError(f"{self.name}: is no name of a dataset ({first_line(error)})") from None

    def _draw_outline(self, files: Mapping[str, Any], commit: str, outline: Path) -> None:
        """Makes a folder of empty files with the dataset's names, and its card: from these alone its splits are known."""
        outline.mkdir()
        SizeLimit(0).take_files(len(files), self.name)
        for name in files:
            place = outline / check_name(name, Path(self.name))
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
        limit = SizeLimit(MOST_CARD_BYTES)
        for name in SETTINGS_OF_CARDS:
            if name in files:
                Downloader(outline, limit, self.web).fetch(self._download(files[name], commit))

    def _download(self, file: Any, commit: str) -> Download:
        """One file of the dataset, with the checksum that the hub states."""
        hub, name = load_library("huggingface_hub"), str(file.rfilename)
        headers = {key: str(value) for key, value in load_library("huggingface_hub.utils").build_hf_headers().items()}
        remember_values({"HF_TOKEN": headers.get("authorization", "").removeprefix("Bearer ")})
        url = hub.hf_hub_url(self.name, name, repo_type="dataset", revision=commit, endpoint=self.endpoint)
        large = getattr(file, "lfs", None)
        checksum = Checksum("sha256", large.sha256) if large else Checksum("git", file.blob_id) if file.blob_id else None
        return Download(url, check_name(name, Path(self.name)), file.size, checksum, headers)

    def _endpoint(self) -> str:
        return str(self.endpoint or load_library("huggingface_hub.constants").ENDPOINT)


@dataclass(frozen=True)
class DatasetFolder:
    """A folder of files as the hub has them.

    Attributes:
        folder: the folder.
        configuration: one of its configurations; None: the only one.
    """

    folder: Path
    configuration: str | None

    def plan(self) -> ImportPlan:
        """See :class:`~seq2seq_core.corpus_import.import_plan.CorpusPlace`."""
        with tempfile.TemporaryDirectory(prefix="s2s-import-") as cache:
            splits = files_by_split(self.folder, self.configuration, Path(cache))
        names = sorted({name for files in splits.values() for name in files})
        return ImportPlan(
            kind="huggingface",
            source=f"dataset folder {self.folder.resolve().name}",
            version=_digest(self.folder, names),
            page="",
            licence=read_card_licence(self.folder),
            request={"folder": self.folder.resolve().name, "configuration": self.configuration or ""},
            command=[
                "huggingface", str(self.folder), *(["--configuration", self.configuration] if self.configuration else []),
            ],
        )  # fmt: skip

    def build(self, fetched: Path, folder: Path, limit: SizeLimit) -> BuiltCorpus:
        """See :class:`~seq2seq_core.corpus_import.import_plan.CorpusPlace`."""
        return build_from_folder(self.folder, self.configuration, folder, limit)


def build_from_folder(dataset: Path, configuration: str | None, folder: Path, limit: SizeLimit) -> BuiltCorpus:
    """Writes the rows of a dataset, and copies the files about it.

    Args:
        dataset: its folder.
        configuration: one of its configurations; None: the only one.
        folder: the corpus folder.
        limit: bounds what is written.
    """
    with tempfile.TemporaryDirectory(prefix="s2s-import-") as cache:
        notes = write_rows(dataset, configuration, folder, Path(cache), limit)
    for file in sorted(dataset.iterdir()):
        if file.is_file() and is_about(file.name):
            shutil.copyfile(file, folder / file.name)
    return BuiltCorpus(read_card_licence(dataset) or find_licence(folder), notes)


def read_card_licence(folder: Path) -> str:
    """The licence in the head of a dataset's card; empty where it states none.

    Args:
        folder: the dataset.
    """
    card = folder / CARD
    if not card.is_file():
        return ""
    hub = load_library("huggingface_hub")
    with library_errors(lambda error: UserError(f"{card}: the card's head cannot be read ({first_line(error)})")):
        data = hub.DatasetCard(card.read_text(encoding="utf-8", errors="replace"), ignore_metadata_errors=True).data.to_dict()
    stated = data.get("license") or ""
    names = [str(name) for name in stated] if isinstance(stated, Sequence) and not isinstance(stated, str) else [str(stated)]
    others = [str(data[key]) for key in ("license_name", "license_link") if data.get(key)]
    return ", ".join(name for name in [*names, *others] if name)


def _digest(folder: Path, names: Sequence[str]) -> str:
    """A digest of files by names and bytes."""
    return digest({name: compute(folder / name, "sha256").digest for name in names})
