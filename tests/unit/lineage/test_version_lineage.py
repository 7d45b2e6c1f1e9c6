"""The lineage of registered versions: recorded, found by any reference, shown, compared."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows.reports.summary import read_drift_lines, read_receipt
from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.cli.main import app
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.pairs import write_pairs
from seq2seq_core.corpus_import.source_record import SourceRecord, write_record
from seq2seq_core.errors import BundleError, TrackingUnreachable, UserError
from seq2seq_core.lineage import lineage_storage
from seq2seq_core.lineage.comparison import compare
from seq2seq_core.lineage.decisions import read_decisions
from seq2seq_core.lineage.lineage_storage import Lineage, attach_file, read_lineage
from seq2seq_core.lineage.lineage_tree import comparison_tree, lineage_tree
from seq2seq_core.lineage.lookup import find_reference
from seq2seq_core.lineage.record_check import SEAL_TAG
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.registry.versions import find_number, logged_model_id
from seq2seq_core.serving.model_header import NamedModel
from seq2seq_core.stages.register import run_register
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.tracking.mlflow.store import connect
from tests.unit.drift.made_pairs import Pair, make_pairs, make_profile

pytestmark = pytest.mark.usefixtures("light_registration")

CORPUS = "data/raw/dates"
SOURCE = SourceRecord(
    kind="opus", source="OPUS Dates, de and en", version="v1", licence="CC0-1.0", command="s2s import opus Dates",
    request={}, downloads=[], files={},
)  # fmt: skip


def write_corpus(paths: Paths, rows: list[str]) -> Path:
    file = paths.root / CORPUS / "train.tsv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("source\ttarget\n" + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return file


def write_profile(paths: Paths, pairs: list[Pair], longer: bool = False) -> list[Pair]:
    """The prepared train set and its profile, in the pieces of the workspace's bundle."""
    pairs = [(f"{source} {source}", target) for source, target in pairs] if longer else pairs
    write_pairs(paths.prepared_split("train"), ({"source": source, "target": target} for source, target in pairs))
    paths.corpus_profile.parent.mkdir(exist_ok=True)
    paths.corpus_profile.write_text(make_profile(pairs, SubwordModel((paths.served / "source.model").read_bytes())).to_json())
    return pairs


@pytest.fixture(scope="module")
def template(
    tmp_path_factory: pytest.TempPathFactory,
    mlflow_template: Path,
    make_bundle: Callable[..., None],
    make_settings: Callable[..., Settings],
) -> Path:
    """Two versions with different corpora, their profiles and settings; DVC's cache has the corpus of the first."""
    paths = Paths(tmp_path_factory.mktemp("lineages"))
    shutil.copy(mlflow_template, paths.mlflow_database)
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        for seed, right, rows in ((1, 0.5, ["a\t1", "b\t2", "c\t3"]), (2, 0.9, ["a\t1", "b\t9", "c\t3", "d\t4"])):
            file = write_corpus(paths, rows)
            write_record(SOURCE, file.parent)
            (paths.root / "params.yaml").write_text(f"# seed {seed}\ntrain: {{seed: {seed}}}\n")
            make_bundle(paths, seed, right)
            write_profile(paths, make_pairs(300, seed), longer=seed == 2)
            run_register(make_settings({}, {"beam_size": 1 + seed}), paths, NullRecorder())
            if seed == 1:
                md5 = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
                cached = paths.root / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
                cached.parent.mkdir(parents=True)
                shutil.copy(file, cached)
    return paths.root


@pytest.fixture
def paths(template: Path, tmp_path: Path, no_outer_run: None, no_known_places: None) -> Paths:
    shutil.copytree(template, tmp_path / "copy")
    return Paths(tmp_path / "copy")


def lineage_of(reference: str, settings: Settings, paths: Paths) -> Lineage:
    return read_lineage(find_reference(reference, settings, paths), paths)


def test_every_reference_leads_to_the_version(paths: Paths, tracked_settings: Settings) -> None:
    digest = bundle_digest(paths.served)
    references = [
        "2", "v2", "@champion", "models:/dates/2", "models:/dates@champion", str(paths.served), digest, digest[:8].upper(),
        f"x-s2s-model: {digest[:16]}", "dates/2", f"sha256:{digest}", (header := NamedModel("dates", "2", digest).to_header()),
        f"X-S2S-Model: {header}", f"x-s2s-model: {header}\r\n",
    ]  # fmt: skip
    for reference in references:
        assert str(find_reference(reference, tracked_settings, paths).version) == "2", reference
    assert str(find_reference("1", tracked_settings, paths).version) == "1"


def test_a_reference_to_nothing_says_what_was_expected(paths: Paths, tracked_settings: Settings) -> None:
    for reference, message in (
        ("9", "the model 'dates' has no version 9 in sqlite:///mlflow.db"),
        ("@gone", "the model 'dates' has no alias 'gone'; it has: champion"),
        ("00000000", "00000000: the registry sqlite:///mlflow.db has no version with the bundle 00000000; was it deleted, or "),
        ("models:/dates/9", "models:/dates/9: the model 'dates' has no version 9 in sqlite:///mlflow.db; it has: 2, 1"),
        (NamedModel("dates", "9", "0" * 64).to_header(), "has no version 9 in sqlite:///mlflow.db; it has: 2, 1"),
        (" ", "' ': names no version; expected a version's number, "),
        (
            "models/none",
            "models:/NAME@ALIAS, a bundle's folder, a bundle's digest (8 digits or more), or the header X-S2S-Model of an",
        ),
        (str(paths.bundle), "(models/served, not models/bundle)"),
        (NamedModel("dates", "2", "0" * 64).to_header(), "models:/dates/2 has the bundle "),
        ("models/none", "models/none: no such folder or version; expected a version's number, @ALIAS, models:/NAME/VERSION"),
    ):
        with pytest.raises(UserError) as caught:
            find_reference(reference, tracked_settings, paths)
        assert message in str(caught.value)


def test_the_record_names_the_bytes_of_the_corpus_and_of_every_part(paths: Paths, tracked_settings: Settings) -> None:
    lineage = lineage_of("2", tracked_settings, paths)
    record, file = lineage.record, paths.root / CORPUS / "train.tsv"
    known = record["corpus"]["files"]["train.tsv"]
    assert (known["sha256"], known["rows"]) == (hashlib.sha256(file.read_bytes()).hexdigest(), 5)
    assert record["model"]["weights_sha256"] == hashlib.sha256((paths.served / "model.safetensors").read_bytes()).hexdigest()
    assert record["test_set"] == hashlib.sha256(paths.prepared_split("test").read_bytes()).hexdigest()
    assert record["settings"]["values"]["evaluate"]["beam_size"] == 3
    assert record["settings"]["text"] == "# seed 2\ntrain: {seed: 2}\n"
    assert (record["parents"]["champion"], record["decision"]["decision"]) == ("1", "champion")
    assert {"torch", "numpy", "mlflow"} <= record["machine"]["packages"].keys()
    assert record["machine"]["of"] == "register"  # no run of a training is known
    tree = lineage_tree(lineage, read_decisions(lineage.version, paths))
    assert f"train.tsv  sha256 {known['sha256']}  {known['size']:,} bytes, 5 lines" in tree
    assert "compared with version 1" in tree
    assert " promoted by " in tree


def test_the_lineage_names_the_source_of_the_corpus_and_its_licence(paths: Paths, tracked_settings: Settings) -> None:
    lineage = lineage_of("2", tracked_settings, paths)
    tree = lineage_tree(lineage, [])
    assert "from OPUS Dates, de and en, version v1; licence: CC0-1.0\n" in tree
    assert "s2s import opus Dates\n" in tree


def test_two_versions_differ_in_settings_and_rows_with_their_texts(paths: Paths, tracked_settings: Settings) -> None:
    comparison = compare(lineage_of("1", tracked_settings, paths), lineage_of("2", tracked_settings, paths), paths)
    tree = comparison_tree(comparison).splitlines()
    assert tree[0] == "version 1 of dates → version 2 of dates"
    assert "│  └─ evaluate.beam_size: 2 → 3" in tree
    start = tree.index("│  └─ rows of train.tsv: 1 added, 1 changed")
    assert tree[start + 1 : start + 5] == [
        "│     ├─ changed train.tsv:3 (was line 3)", "│     │  ├─ -  b ⇥ 2", "│     │  └─ +  b ⇥ 9",
        "│     └─ added train.tsv:5  d ⇥ 4",
    ]  # fmt: skip
    values: dict[str, Any] = json.loads(json.dumps(comparison.as_json()))
    assert values["rows"][0]["counts"] == {"added": 1, "removed": 0, "changed": 1}
    assert (comparison.packages, comparison.machine, comparison.code) == ({}, {}, {})
    same = compare(lineage_of("2", tracked_settings, paths), lineage_of("@champion", tracked_settings, paths), paths)
    assert comparison_tree(same).splitlines()[1:] == ["└─ nothing differs"]


def test_rows_have_lines_but_no_texts_where_the_bytes_are_gone(paths: Paths, tracked_settings: Settings) -> None:
    shutil.rmtree(paths.root / ".dvc")
    shutil.rmtree(paths.root / "data" / "raw")
    tree = comparison_tree(compare(lineage_of("1", tracked_settings, paths), lineage_of("2", tracked_settings, paths), paths))
    assert "added train.tsv:5\n" in tree
    assert "changed train.tsv:3 (was line 3)\n" in tree


def test_a_version_of_an_earlier_release_has_none_and_says_so(registered_paths: Paths, tracked_settings: Settings) -> None:
    with pytest.raises(UserError, match="version 1 of 'dates' has no lineage: an earlier release registered it"):
        lineage_of("1", tracked_settings, registered_paths)


def test_a_damaged_record_is_refused(paths: Paths, tracked_settings: Settings) -> None:
    for content in ("no JSON", "[]"):
        attach_file(find_reference("1", tracked_settings, paths), "lineage.json", content, paths)
        with pytest.raises(UserError, match=r"version 1 of 'dates': lineage.json (cannot be read|is no record)"):
            lineage_of("1", tracked_settings, paths)


def test_a_registry_that_dies_before_the_record_is_whole_gets_it_from_the_next_run(
    registered_paths: Paths, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, settings = registered_paths, make_settings()
    settings = settings.model_copy(update={"runtime": settings.runtime.model_copy(update={"tracking_wait_seconds": 0.0})})
    write_corpus(paths, ["a\t1"])
    paths.receipt.unlink()
    attach, sent = lineage_storage._attach, list[str]()

    def dies(client: Any, model_id: str, contents: Any) -> None:
        if "lineage.json" in contents:
            raise ConnectionError("gone")
        attach(client, model_id, contents)
        sent.extend(contents)

    with monkeypatch.context() as patched:
        patched.setattr(lineage_storage, "_attach", dies)
        with pytest.raises(TrackingUnreachable):
            run_register(settings, paths, NullRecorder())
    assert sent == ["corpus_rows.npz"]
    assert not paths.receipt.exists()
    run_register(settings, paths, NullRecorder())
    lineage = lineage_of("1", settings, paths)
    rows = lineage.read_rows(paths)
    assert rows is not None
    assert len(rows.files["train.tsv"]) == lineage.record["corpus"]["files"]["train.tsv"]["rows"] == 2
    version = find_number(connect(paths), "dates", "1")
    assert version is not None
    assert len(version.tags) <= 6


def run(paths: Paths, *words: str) -> tuple[int, str]:
    (paths.root / "dvc.yaml").write_text("stages: {}\n")
    (paths.root / "params.yaml").write_text("corpus: {path: c, files: {train: [t]}}\nregister: {model_name: dates}\n")
    result = CliRunner().invoke(app, [*words, "--workspace", str(paths.root)])
    return result.exit_code, result.output


def test_every_command_refuses_an_empty_reference(paths: Paths) -> None:
    for words in (
        ("lineage", ""), ("lineage", "1", ""), ("reproduce", ""), ("promote", ""), ("rollback", ""), ("history", ""), ("sign", ""),
    ):  # fmt: skip
        code, output = run(paths, *words)
        assert (code, "error: '': names no version; expected a version's number, " in output) == (2, True), words


def test_commands_that_read_do_not_make_the_database_of_a_mistyped_address(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/none/mlflow.db")
    for words in (("history",), ("lineage", "2"), ("lineage", "@champion"), ("lineage", str(paths.served)), ("promote", "2")):
        code, output = run(paths, *words)
        assert code == 2
        assert f"error: MLFLOW_TRACKING_URI: there is no MLflow database sqlite:///{tmp_path}/none/mlflow.db; expected" in output, (
            words
        )
    assert not (tmp_path / "none").exists()


def test_a_record_that_was_removed_is_not_one_that_an_earlier_release_lacks(paths: Paths, tracked_settings: Settings) -> None:
    (stored_folder("2", tracked_settings, paths) / "lineage.json").unlink()
    with pytest.raises(UserError, match=r"version 2 of 'dates': its lineage.json is missing, although .* sealed one; restore "):
        lineage_of("2", tracked_settings, paths)


def test_a_changed_lineage_says_which_statements_do_not_hold(paths: Paths, tracked_settings: Settings) -> None:
    version, client = find_reference("2", tracked_settings, paths), connect(paths)
    assert run(paths, "lineage", "2")[0] == 0
    record = json.loads(json.dumps(lineage_of("2", tracked_settings, paths).record))
    record["corpus"]["files"]["train.tsv"]["sha256"] = "0" * 64
    record["model"]["weights_sha256"] = "1" * 64
    del record["test_set"]
    attach_file(version, "lineage.json", json.dumps(record), paths)
    code, output = run(paths, "lineage", "2")
    assert code == 2
    head = "error: the lineage has changed since it was recorded; these statements do not hold:"
    said = output[output.index(head) :].splitlines()
    assert said.pop().startswith("restore the version's files from a backup, ")
    assert [line.split("version 2 of dates: ")[1].split(",")[0].split(":")[0] for line in said[1:]] == [
        f"model.weights_sha256 is {'1' * 64}",
        "corpus.files is not what `s2s register` recorded",
        "test_set is missing",
    ]
    assert "the config.json of its bundle says " in said[1]
    assert f"train.tsv  sha256 {'0' * 64}" in output, "it is shown all the same"
    assert len(json.loads(run(paths, "lineage", "1", "2", "--json")[1].splitlines()[0])["faults"]) == 3
    code, output = run(paths, "reproduce", "2")
    assert code == 2
    assert "so that nothing is run by it" in output
    record["corpus"]["files"] = 7  # what no tree can show
    attach_file(version, "lineage.json", json.dumps(record), paths)
    assert run(paths, "lineage", "2")[0] == 2

    # Of a version without a seal, the tags and the stored files still tell.
    client.delete_logged_model_tag(logged_model_id(version) or "", SEAL_TAG)
    attach_file(version, "dirty.patch", "+import os", paths)
    faults = lineage_of("2", tracked_settings, paths).faults(paths)
    assert [fault.split()[4] for fault in faults] == ["model.weights_sha256", "code.patch_sha256"]


def test_settings_alone_are_no_difference_of_code(paths: Paths, tracked_settings: Settings) -> None:
    def changed(lineage: Lineage, commit: str, modules: dict[str, str], digest: str) -> Lineage:
        record = json.loads(json.dumps(lineage.record))
        record["code"] |= {"commit": commit, "stages": {"train": modules}}
        record["stages"]["code"] = {"reports/code": {"sha256": digest * 64}}
        return Lineage(lineage.version, record)

    first, second = (lineage_of(number, tracked_settings, paths) for number in "12")
    modules, others = {"a": "1", "b": "1"}, {"a": "2", "c": "1"}  # the digest of a settings class counts its defaults, or not
    same = compare(changed(first, "f" * 40, modules, "0"), changed(second, "f" * 40, others, "1"), paths)
    assert (same.commits, same.code, same.reach) == ({}, {}, {"train": (["b"], ["c"])})
    tree = comparison_tree(same)
    assert "reports/code" not in tree
    assert "code of train that only one needs: no longer b; now also c" in tree
    assert "evaluate.beam_size: 2 → 3" in tree
    edited = compare(changed(first, "f" * 40, modules, "0"), changed(second, "e" * 40, others, "1"), paths)
    assert edited.code == {"train": ["a"]}
    unexplained = compare(changed(first, "f" * 40, modules, "0"), changed(first, "f" * 40, modules, "1"), paths)
    assert list(unexplained.outputs) == ["code: reports/code"]


def test_a_damaged_bundle_folder_is_not_one_that_nobody_registered(paths: Paths, tracked_settings: Settings) -> None:
    weights, config = paths.served / "model.safetensors", paths.served / "config.json"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    code, output = run(paths, "lineage", str(paths.served))
    assert (code, f"{weights}: damaged or exchanged: its SHA-256 is " in output) == (2, True)
    weights.write_bytes(content)
    for damage in (lambda: config.write_text("{"), config.unlink):
        damage()
        with pytest.raises(BundleError, match=r"config\.json"):
            find_reference(str(paths.served), tracked_settings, paths)


def test_a_short_digest_of_several_bundles_is_a_question(paths: Paths, tracked_settings: Settings) -> None:
    client, digest = connect(paths), bundle_digest(paths.served)
    header = f"X-S2S-Model: models:/dates/2; bundle_digest={digest[:12]}..."
    client.set_model_version_tag("dates", "1", "bundle_digest", digest[:12] + "0" * 52)
    assert str(find_reference(header, tracked_settings, paths).version) == "2", "the header names the version too"
    with pytest.raises(UserError, match=r"the beginning of 2 digests: [0-9a-f]{64}, [0-9a-f]{64}; expected more digits"):
        find_reference(digest[:12], tracked_settings, paths)
    with pytest.raises(UserError, match="models:/dates/1 has the bundle"):
        find_reference(header.replace("dates/2", "dates/1").replace(digest[:12], digest[:13]), tracked_settings, paths)
    for name in ("months", "years"):
        client.create_registered_model(name)
        client.create_model_version(name, "file:///none", tags={"bundle_digest": "f" * 64})
    with pytest.raises(UserError, match=r"ffffffff: the bundle of models:/months/1, models:/years/1; expected one of these"):
        find_reference("ffffffff", tracked_settings, paths)


@pytest.mark.parametrize(("name", "said"), [("config.json", "config.json: has changed"), ("source.model", "source.model: damaged")])
def test_a_bundle_that_was_edited_in_the_store_is_a_fault_that_names_the_file(
    name: str, said: str, paths: Paths, tracked_settings: Settings
) -> None:
    file = stored_folder("2", tracked_settings, paths) / "artifacts" / "bundle" / name
    content = file.read_bytes()
    file.write_bytes(content.replace(b'"made_by": "0', b'"made_by": "9') if name == "config.json" else content + b"\n")
    assert file.read_bytes() != content
    code, output = run(paths, "lineage", "2", "--json")
    assert code == 2
    (fault,) = json.loads(output.splitlines()[0])["faults"]
    assert fault.startswith("version 2 of dates: its bundle (artifacts/bundle) is not the one that was registered: its digest is ")
    assert said in fault
    assert "from a backup" in fault, "the way out"
    assert run(paths, "lineage", "1")[0] == 0


def stored_folder(number: str, settings: Settings, paths: Paths) -> Path:
    model: Any = connect(paths).get_logged_model(logged_model_id(find_reference(number, settings, paths)) or "")
    return Path(model.artifact_location.removeprefix("file://"))


def test_a_version_keeps_its_profile_and_says_how_its_corpus_differs(paths: Paths, tracked_settings: Settings) -> None:
    assert "drift" not in find_reference("1", tracked_settings, paths).tags, "there was no champion"
    second = find_reference("2", tracked_settings, paths)
    assert second.tags["drift"] == "length ratio, source length, against version 1 of 'dates'"
    folder = stored_folder("2", tracked_settings, paths)
    report = json.loads((folder / "drift.json").read_text())
    assert {one["name"] for one in report["measures"]} >= {"source pieces", "target pieces", "untranslated"}
    assert "<svg" in (folder / "drift.html").read_text()
    assert "Drift against version 1 of 'dates': length ratio" in (folder / "model_card.md").read_text().replace("\\", "")
    receipt = read_receipt(paths)
    assert receipt is not None
    assert read_drift_lines(paths, receipt)[0].startswith("drift against version 1 of 'dates': length ratio ")
    (folder / "corpus_profile.json").write_bytes((folder / "corpus_profile.json").read_bytes() + b" ")
    code, output = run(paths, "lineage", "2")
    assert (code, "corpus.profile_sha256 is " in output) == (2, True)


def test_corpora_and_requests_are_compared_when_somebody_asks(paths: Paths, tracked_settings: Settings) -> None:
    run(paths, "drift")  # the workspace was moved, and the bundle is fetched: the first command says so
    code, output = run(paths, "drift", "1", "--json")
    assert (code, json.loads(output)["is_drift"]) == (0, True)
    assert {one["name"] for one in json.loads(output)["measures"] if one["is_alarm"]} == {"source length", "length ratio"}
    code, output = run(paths, "drift", "--into", str(paths.root / "shown"))
    assert (code, output.splitlines()[0].partition(" (")[0]) == (0, "drift: none against version 2 of 'dates'")
    assert sorted(file.name for file in (paths.root / "shown").iterdir()) == ["drift.html", "drift.json", "drift.md"]
    requests = paths.root / "requests.jsonl"
    requests.write_text("".join(json.dumps({"text": source}) + "\n" for source, _ in make_pairs(200, 9)))
    code, output = run(paths, "drift", "--requests", str(requests), "--column", "text", "--against", "1")
    assert (code, output.splitlines()[0].partition(" (")[0]) == (0, "drift: none against version 1 of 'dates'")
    code, output = run(paths, "drift", "--requests", str(requests), "--column", "text")
    assert (code, output.startswith("drift against version 2 of 'dates': source length ")) == (0, True)
    assert run(paths, "drift", "1", "--requests", str(requests))[0] == 2
    (stored_folder("2", tracked_settings, paths) / "corpus_profile.json").unlink()
    code, output = run(paths, "drift")
    assert (code, "version 2 of 'dates' has no profile of its corpus: an earlier release" in output) == (2, True)


def test_drift_refuses_a_promotion_where_it_shall(
    paths: Paths, make_bundle: Callable[..., None], make_settings: Callable[..., Settings]
) -> None:
    make_bundle(paths, 3, 1.0)
    write_profile(paths, make_pairs(300, 3))
    gate = {"minimum_rows": 4, "alpha": 0.99}
    result = run_register(make_settings({"gate": gate, "drift": {"action": "stop"}}), paths, NullRecorder())
    assert (result.decision, result.champion_version) == ("challenger", "2")
    drifted = "its corpus has drifted from that of version 2 of 'dates' (length ratio, source length)"
    assert f"Refused: {drifted}, and register.drift.action is stop." in result.reason
    assert run_register(make_settings({"gate": gate}), paths, NullRecorder()).decision == "champion", "by default it only warns"
