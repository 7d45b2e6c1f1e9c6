"""``s2s import`` from end to end: a service of this machine in, a tracked folder of ``data/raw`` out."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from seq2seq_core.artifacts import Paths
from seq2seq_core.cli.main import app
from seq2seq_core.config.settings import load_settings
from seq2seq_core.config.yaml_text import parse_yaml
from seq2seq_core.corpus_import.http_answers import Web
from seq2seq_core.corpus_import.hub_dataset import HubDataset
from seq2seq_core.corpus_import.import_run import ImportChoices, run_import
from seq2seq_core.corpus_import.source_record import SOURCE_FILE, SourceRecord, read_pin, read_record, read_sources
from seq2seq_core.errors import UserError
from seq2seq_core.file_lock import hold_lock
from seq2seq_core.lineage.lineage_record import describe_corpus
from seq2seq_core.redaction.redactor import redact
from tests.corpus_services import COMMIT, ENGLISH, GERMAN, Service, books_dataset, tmx, write_files, zipped
from tests.flows.waiting import wait_until

NO_TRACKING = "--no-track"
CHOICES = ImportChoices("books", "", 10**9, force=False)


@pytest.fixture
def workspace(tmp_path: Path) -> Paths:
    (tmp_path / "clone").mkdir()
    (tmp_path / "clone" / "dvc.yaml").write_text("stages: {}\n")
    return Paths(tmp_path.resolve() / "clone")


def s2s(workspace: Paths, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--workspace", str(workspace.root)])


def opus(workspace: Paths, service: Service, *more: str) -> Result:
    return s2s(workspace, "import", "opus", "Books", "--languages", "en,de", "--api", f"{service.url}/opusapi", *more)


def imported(workspace: Paths, name: str) -> SourceRecord:
    record = read_record(workspace.root / "data" / "raw" / name)
    assert record is not None
    return record


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_corpus_of_opus_is_tracked_and_can_be_made_again_to_the_byte(workspace: Paths, service: Service) -> None:
    german, english = ([f"{number} {line}" for number in range(10) for line in lines] for lines in (GERMAN, ENGLISH))
    service.offer_opus("v1", german, english)
    subprocess.run(["git", "init", "-q"], cwd=workspace.root, check=True)
    write_files({"config": b"[core]\n"}, workspace.root / ".dvc")
    assert opus(workspace, service, NO_TRACKING).exit_code == 0  # as if it was killed before `dvc add`
    result = opus(workspace, service)
    assert result.exit_code == 0, result.output
    folder = workspace.root / "data" / "raw" / "books_de_en"
    assert result.output.splitlines()[-1] == "next: s2s configure --corpus data/raw/books_de_en"
    assert (folder / "Books.de-en.de").read_text(encoding="utf-8").splitlines() == german
    assert sorted(files_of(folder)) == ["Books.de-en.de", "Books.de-en.en", "LICENSE", "README", SOURCE_FILE]
    record = imported(workspace, "books_de_en")
    assert record.in_words() == "OPUS Books, de and en, version v1; licence: Creative Commons CC0 (see LICENSE)"
    archive = service.files["/OPUS-Books/v1/moses/de-en.txt.zip"]
    assert [one.sha256 for one in record.downloads] == [hashlib.sha256(archive).hexdigest()]
    tracked = parse_yaml((workspace.root / "data" / "raw" / "books_de_en.dvc").read_text())
    assert tracked["outs"][0]["path"] == "books_de_en"
    pin = read_pin(folder)
    assert (pin["version"], pin["licence"]) == ("v1", "Creative Commons CC0 (see LICENSE)")

    # A clone has the .dvc file alone; its command brings the same bytes, also when the service has a newer release.
    before, md5 = files_of(folder), tracked["outs"][0]["md5"]
    for gone in (folder, workspace.root / ".dvc" / "cache"):
        shutil.rmtree(gone)
    service.offer_opus("v2", GERMAN[:2], ENGLISH[:2])
    refused = opus(workspace, service)
    assert refused.exit_code == 2
    assert "books_de_en.dvc: has on record OPUS Books, de and en, version v1" in refused.output
    assert not folder.exists()
    again = s2s(workspace, "import", "again", "books_de_en")
    assert again.exit_code == 0, again.output
    assert files_of(folder) == before
    after = parse_yaml((workspace.root / "data" / "raw" / "books_de_en.dvc").read_text())
    assert (after["outs"][0]["md5"], after["meta"]) == (md5, tracked["meta"])

    # Settings are proposed for it, and the lineage of a version says where it comes from.
    configured = s2s(workspace, "configure", "--corpus", str(folder))
    assert configured.exit_code == 0, configured.output
    assert "has no import on record" in s2s(workspace, "import", "again", "mine").output
    (source,) = describe_corpus(load_settings(workspace.params), workspace)["sources"]
    assert source == {name: getattr(record, name) for name in ("source", "version", "licence", "command")}


def test_a_folder_that_is_there_is_kept_unless_it_is_asked_to_go(workspace: Paths, service: Service) -> None:
    service.offer_opus("v1")
    assert opus(workspace, service, NO_TRACKING).exit_code == 0
    fetched = len(service.asked(path="/moses/"))
    same = opus(workspace, service, NO_TRACKING, "--licence", "CC0-1.0")
    assert "licence: CC0-1.0 (was there already)" in same.output
    assert len(service.asked(path="/moses/")) == fetched
    folder = workspace.root / "data" / "raw" / "books_de_en"

    service.offer_opus("v2", GERMAN[:2], ENGLISH[:2])
    newer = opus(workspace, service, NO_TRACKING)
    assert (newer.exit_code, "has version v1, and the source now has v2; expected --force" in newer.output) == (2, True)
    other = opus(workspace, service, NO_TRACKING, "--format", "tmx")
    assert (other.exit_code, "books_de_en: holds OPUS Books, de and en, version v1" in other.output) == (2, True)
    (folder / "Books.de-en.de").write_text("mine\n")
    changed = opus(workspace, service, NO_TRACKING, "--version", "v1")
    assert (changed.exit_code, "was changed since its import (Books.de-en.de)" in changed.output) == (2, True)
    (folder / SOURCE_FILE).unlink()
    own = opus(workspace, service, NO_TRACKING)
    assert (own.exit_code, "is there, and no import made it" in own.output) == (2, True)
    assert (folder / "Books.de-en.de").read_text() == "mine\n"
    assert opus(workspace, service, NO_TRACKING, "--force", "--format", "tmx").exit_code == 0
    assert (folder / "Books.de-en.de").read_text(encoding="utf-8").splitlines() == GERMAN[:2]
    assert imported(workspace, "books_de_en").version == "v2"


def test_an_import_needs_room_and_a_name_of_its_own(workspace: Paths, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.offer_opus("v1")
    with hold_lock(workspace.imports / "books_de_en.lock", lambda _: AssertionError()):
        busy = opus(workspace, service, NO_TRACKING)
    assert (busy.exit_code, "imports into data/raw/books_de_en; wait for its end" in busy.output) == (2, True)
    large = opus(workspace, service, NO_TRACKING, "--max-gigabytes", "0.0000001")
    assert (large.exit_code, "than the 1e-07 GB that one import may take in all" in large.output) == (2, True)
    for name in ("../raw", "mine.dvc"):
        odd = opus(workspace, service, "--name", name, "--dry-run")
        assert (odd.exit_code, "--name: must be letters" in odd.output) == (2, True)
    assert opus(workspace, service, "--max-gigabytes", "inf", "--dry-run").exit_code == 0
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 0))
    full = opus(workspace, service, NO_TRACKING)
    assert (full.exit_code, "has 0 bytes left; expected " in full.output) == (2, True)
    assert not (workspace.root / "data").exists()


def test_an_answer_of_opus_that_is_no_list_is_refused(workspace: Paths, service: Service) -> None:
    for body, message in ((b"[" * 100_000, "the answer is no JSON"), (b"[]", "expected a list of corpora")):
        service.answers["/opusapi"] = (200, {}, body)
        result = opus(workspace, service, "--dry-run")
        assert (result.exit_code, message in result.output) == (2, True), result.output


def test_what_opus_has_not_is_said(workspace: Paths, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.offer_opus("v1")
    service.answers["/opusapi?None&v7"] = service.answers["/opusapi?tmx&v1"]
    missing = opus(workspace, service, "--version", "v7", "--dry-run")
    assert missing.exit_code == 2
    assert "OPUS has no Books (v7) in de and en as moses; there is tmx (--format)" in missing.output
    service.files["/OPUS-Books/v1/moses/de-en.txt.zip"] = zipped({"Books.de-en.de": "a\nb\n", "Books.de-en.en": "a\n"})
    uneven = opus(workspace, service)
    assert (uneven.exit_code, "aligned files must have as many lines each" in uneven.output) == (2, True)
    service.answers["/opusapi?moses&latest"] = (200, {}, b"[1")
    assert "the API of OPUS: the answer is no JSON" in opus(workspace, service).output
    assert not (workspace.root / "data" / "raw" / "books_de_en").exists()
    monkeypatch.setitem(sys.modules, "opustools.opus_get", None)
    lacking = opus(workspace, service)
    assert lacking.exit_code == 2
    assert "needs the package opustools" in lacking.output
    assert "pip install 'seq2seq-flows[import]'" in lacking.output


def test_a_dry_run_names_files_sizes_and_licence_and_changes_nothing(workspace: Paths, service: Service, tmp_path: Path) -> None:
    service.files = {"/train.tsv": b"a\tb\n" * 100_000, "/get": b"c\td\n"}
    digest = hashlib.sha256(service.files["/train.tsv"]).hexdigest()
    listed = tmp_path / "list.txt"
    listed.write_text(f"# mine\n{service.url}/train.tsv sha256:{digest}\n\n{service.url}/get?id=7&token=geheim1234 name=test.tsv\n")
    before = files_of(workspace.root)
    result = s2s(workspace, "import", "urls", str(listed), "--name", "mine", "--licence", "CC0-1.0", "--dry-run")
    assert result.exit_code == 0, result.output
    for expected in (
        "licence: CC0-1.0", f"fetch train.tsv: 0.4 MB, sha256:{digest}, from {service.url}/train.tsv", "fetch test.tsv: 4 bytes",
        "in all: 0.4 MB to fetch", "into data/raw/mine, which is not there yet",
    ):  # fmt: skip
        assert expected in result.output
    assert service.asked("GET") == []
    assert files_of(workspace.root) == before
    assert s2s(workspace, "import", "urls", str(listed), "--name", "mine", NO_TRACKING).exit_code == 0
    record = imported(workspace, "mine")
    assert [one.url for one in record.downloads] == [f"{service.url}/train.tsv", f"{service.url}/get?id=7&token=***"]
    assert sorted(record.files) == ["test.tsv", "train.tsv"]
    assert "geheim" not in (workspace.root / "data" / "raw" / "mine" / SOURCE_FILE).read_text() + result.output


def test_archives_and_memories_of_a_list_are_opened(workspace: Paths, service: Service) -> None:
    service.files = {
        "/c.zip": zipped({"train.tsv": "a\tb\n", "LICENSE.txt": "MIT License\n", SOURCE_FILE: "theirs"}),
        "/m.tmx": tmx(GERMAN, ENGLISH).encode(),
    }
    urls = [f"{service.url}{path}" for path in service.files]
    result = s2s(workspace, "import", "urls", *urls, "--name", "mine", NO_TRACKING)
    assert result.exit_code == 0, result.output
    record = imported(workspace, "mine")
    assert sorted(record.files) == ["LICENSE.txt", "SOURCE.upstream.yaml", "m.de", "m.en", "train.tsv"]
    assert record.licence == "MIT License (see LICENSE.txt)"
    assert record.version == f"sha256:{record.digest[:16]}"
    service.files["/c.zip"] = zipped({"../../train.tsv": "a\tb\n"})
    harmful = s2s(workspace, "import", "urls", *urls, "--name", "other", NO_TRACKING)
    assert (harmful.exit_code, "holds the name '../../train.tsv'" in harmful.output) == (2, True)
    service.files["/c.zip"] = zipped({".hidden": "a\tb\n"})
    empty = s2s(workspace, "import", "urls", f"{service.url}/c.zip", "--name", "other", NO_TRACKING)
    assert (empty.exit_code, "/c.zip: holds no file; expected at least one" in empty.output) == (2, True)
    assert [path.name for path in (workspace.root / "data" / "raw").iterdir()] == ["mine"]
    assert [one.source for one in read_sources(workspace.root / "data" / "raw")] == [record.source]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("s3://bucket/train.tsv", "list.txt:1: must begin with an address of HTTP or HTTPS"),
        ("https://h.invalid/a.tsv sha256:12", "list.txt:1: checksum 'sha256:12': must be ALGORITHM:HEX with md5 (32 digits)"),
        ("https://h.invalid/", "list.txt:1: the address ends in no file's name; expected `name=NAME` behind it"),
        ("https://h.invalid/x name=../a", "list.txt:1: the address ends in no file's name"),
        ("https://h.invalid/a.tsv\nhttps://g.invalid/a.tsv", "a.tsv: two addresses of this name"),
        ("# nothing", "expected at least one address, got none"),
        ("\ufeffhttp://[::1/a.tsv", "list.txt:1: expected an address of HTTP or HTTPS, got 'http://[::1/a.tsv' (Invalid IPv6 URL)"),
    ],
)
def test_a_faulty_list_is_refused_by_line(workspace: Paths, tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "list.txt").write_text(line, encoding="utf-8")
    result = s2s(workspace, "import", "urls", str(tmp_path / "list.txt"), "--name", "mine", "--dry-run")
    assert (result.exit_code, message in result.output) == (2, True), result.output


def test_a_killed_import_leaves_no_half_corpus_and_goes_on(workspace: Paths, service: Service) -> None:
    content = b"a\tb\n" * 1_000_000
    service.files = {"/train.tsv": content, "/dev.tsv": b"c\td\n"}
    part = workspace.imports / "mine" / "files.state" / "train.tsv.part"
    command = ["import", "urls", f"{service.url}/train.tsv", f"{service.url}/dev.tsv", "--name", "mine", NO_TRACKING]
    service.held["/train.tsv"] = 2_000_000
    process = subprocess.Popen([sys.executable, "-m", "seq2seq_core.cli.main", *command], cwd=workspace.root)
    try:
        wait_until(lambda: part.is_file() and part.stat().st_size > 1_000_000, "a part of the file")
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
        service.release()
    assert not (workspace.root / "data").exists()
    kept = part.stat().st_size
    result = s2s(workspace, *command)
    assert result.exit_code == 0, result.output
    assert service.asked(path="train.tsv")[-1]["range"] == f"bytes={kept}-"
    assert (workspace.root / "data" / "raw" / "mine" / "train.tsv").read_bytes() == content
    assert [path.name for path in workspace.imports.iterdir()] == ["mine.lock"]


def hub(service: Service, configuration: str | None = "de-en", revision: str | None = None) -> HubDataset:
    return HubDataset("helsinki/books", configuration, revision, service.url, Web())


def test_a_dataset_by_name_is_pinned_and_its_nested_columns_are_opened(
    workspace: Paths, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_geheim1234")
    service.offer_dataset("helsinki/books", books_dataset())
    record = run_import(hub(service), CHOICES, workspace).record
    folder = workspace.root / "data" / "raw" / "books"
    assert sorted(files_of(folder)) == ["README.md", SOURCE_FILE, "train.jsonl", "validation.jsonl"]
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    assert rows == [{"id": str(place), "de": one, "en": GERMAN_TO_ENGLISH[one]} for place, one in enumerate(GERMAN)]
    assert (record.version, record.licence) == (COMMIT, "cc-by-4.0")
    assert record.command == f"s2s import huggingface helsinki/books --revision {COMMIT} --configuration de-en --name books"
    asked = [path for method, path, _ in service.requests if method == "GET" and "/resolve/" in path]
    assert asked
    assert all(COMMIT in path and "de-fr" not in path for path in asked)
    assert {headers["authorization"] for headers in service.asked(path="/resolve/")} == {"Bearer hf_geheim1234"}
    assert redact("hf_geheim1234") == "***"
    # Bytes that are not those of the commit are refused: large files by their SHA-256, small ones by git's digest.
    for path in ("de-en/train-00000-of-00001.parquet", "README.md"):
        service.offer_dataset("helsinki/books", books_dataset())
        place = f"/datasets/helsinki/books/resolve/{COMMIT}/{path}"
        service.files[place] = service.files[place].replace(b"e", b"f")
        with pytest.raises(UserError, match="has the checksum"):
            run_import(hub(service), ImportChoices("other", "", 10**9, force=False), workspace)


GERMAN_TO_ENGLISH = dict(zip(GERMAN, ENGLISH, strict=True))


def test_what_the_hub_refuses_is_said(workspace: Paths, service: Service) -> None:
    service.offer_dataset("helsinki/books", books_dataset())
    with pytest.raises(UserError, match=r"--configuration must name one of the dataset's .*'de-en', 'de-fr'"):
        hub(service, None).plan()
    for path, status, code, message in (
        ("", 401, "RepoNotFound", "Hugging Face has no such dataset; expected OWNER/NAME"),
        ("", 403, "GatedRepo", "gives this dataset only to some; expected HF_TOKEN"),
        ("/revision/v9", 404, "RevisionNotFound", "has no revision 'v9'"),
    ):
        headers = {"X-Error-Code": code, "X-Error-Message": "no"}
        service.answers[f"/api/datasets/helsinki/books{path}"] = (status, headers, b"{}")
        with pytest.raises(UserError, match=message):
            hub(service, revision="v9" if path else None).plan()


def test_a_dataset_folder_is_read_as_the_hub_would(workspace: Paths, tmp_path: Path) -> None:
    rows = '{"text": "a\\nb", "label": 1, "n": null}\n{"text": "c", "label": 0, "n": 2.5}\n'
    card = "license: [mit, other]\ndataset_info:\n  features:\n  - {name: text, dtype: string}\n  - {name: n, dtype: float64}\n"
    card += "  - name: label\n    dtype:\n      class_label:\n        names: {'0': bad, '1': good}\n"
    files = {
        "README.md": f"---\n{card}---\n".encode(), "train.jsonl": rows.encode(), "test.jsonl": rows.encode(),
        "script.py": b"raise SystemExit(9)",
    }  # fmt: skip
    dataset = write_files(files, tmp_path / "My Data")
    result = s2s(workspace, "import", "huggingface", str(dataset), NO_TRACKING)
    assert result.exit_code == 0, result.output
    folder = workspace.root / "data" / "raw" / "my_data"
    assert (folder / "test.jsonl").read_text() == ('{"text":"a\\nb","n":null,"label":"good"}\n{"text":"c","n":2.5,"label":"bad"}\n')
    assert imported(workspace, "my_data").licence == "mit, other"
    (dataset / "train.jsonl").write_text('{"text": "other", "label": 1}\n')
    newer = s2s(workspace, "import", "huggingface", str(dataset), NO_TRACKING)
    assert (newer.exit_code, "and the source now has" in newer.output) == (2, True)


def test_a_dataset_folder_that_cannot_be_rows_is_refused(workspace: Paths, tmp_path: Path) -> None:
    outside = "---\nconfigs:\n- config_name: a\n  data_files: ../secret.csv\n---\n"
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    faults = {
        "outside": ({"README.md": outside.encode()}, "which lies outside of the dataset"),
        "broken": ({"train.jsonl": b'{"a": "b"}\n{"a": \n'}, "cannot be read as a dataset"),
        "pictures": ({"a.png": b"x"}, "are for the reader 'imagefolder'"),
        "empty": ({"notes.pdfx": b"x"}, "cannot be read as a dataset"),
        "card": ({"README.md": b"---\nconfigs: [\n---\n", "train.csv": b"a,b\n1,2\n"}, "cannot be read as a dataset"),
    }
    for name, (files, message) in faults.items():
        folder = write_files(files, tmp_path / name)
        result = s2s(workspace, "import", "huggingface", str(folder), NO_TRACKING)
        assert (result.exit_code, message in result.output) == (2, True), result.output
    assert list((workspace.root / "data" / "raw").iterdir()) == []
