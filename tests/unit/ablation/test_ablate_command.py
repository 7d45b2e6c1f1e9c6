"""``s2s ablate`` from the raw corpus to the table."""

from __future__ import annotations

import json
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from seq2seq_core.ablation import trained_variant
from seq2seq_core.ablation.ablation_run import Ablation, AblationRequest, run_ablation
from seq2seq_core.ablation.rule_choice import parse_changes, rules_that_drop
from seq2seq_core.ablation.trained_variant import Variant
from seq2seq_core.artifacts import Paths
from seq2seq_core.cli.main import app
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.prepare import PrepareSection
from seq2seq_core.config.settings import load_settings, parse_settings
from seq2seq_core.errors import UserError
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.serving import found_models, loading
from seq2seq_core.serving.loading import FoundModel
from seq2seq_core.stages.train import run_train

SETTINGS: dict[str, Any] = {
    "corpus": {"path": "raw", "files": {"train": ["train.tsv"]}},
    "prepare": {"drop_copies": True, "max_length_ratio": 9.0, "dev_fraction": 0.2},
    "tokenize": {"source": {"model": "char"}, "target": {"model": "char"}},
    "model": {"width": 16},
    "train": {"max_steps": 9000, "batch_tokens": 300, "learning_rate": 0.01, "phases": [{"objective": "likelihood"}]},
    "register": {"model_name": "m", "metric": "chrf"},
    "evaluate": {"metrics": ["chrf"]},
    "runtime": {"device": "cpu", "progress": "plain", "num_threads": 1},
}
ASKED = ["ablate", "drop_copies", "min_characters=3", "--max-steps", "8", "--seeds", "2", "--set", "model.width=8", "-C"]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    chance = random.Random(2)
    words = ["".join(chance.choices("abcdefgh", k=chance.randint(2, 6))) for _ in range(200)]
    rows = [f"{word}\t{word[::-1] if place % 4 else word}" for place, word in enumerate(words)]
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "train.tsv").write_text("\n".join(["source\ttarget", *rows]) + "\n", encoding="utf-8")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
    (tmp_path / "dvc.yaml").write_text("", encoding="utf-8")
    return tmp_path


def test_each_variant_is_trained_once_and_stands_in_the_table(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = list[tuple[int, int, bool]]()
    train = run_train

    def noting(settings: Any, paths: Any, recorder: Any) -> Any:
        trained.append((settings.train.seed, settings.model.width, settings.prepare.drop_copies))
        assert (settings.train.max_steps, settings.train.phases) == (8, [])
        return train(settings, paths, recorder)

    monkeypatch.setattr(trained_variant, "run_train", noting)
    result = CliRunner().invoke(app, [*ASKED, str(workspace)])
    assert result.exit_code == 0, result.output
    assert trained == [(1, 8, True), (2, 8, True), (1, 8, False), (2, 8, False), (1, 8, True), (2, 8, True)]
    lines = result.stdout.splitlines()
    assert lines[0].split("  ")[0] == "settings of prepare"
    assert [line.split("  ")[0] for line in lines[1:4]] == ["as it is", "without drop_copies", "with min_characters=3"]
    assert lines[-1] == "drops no row of train: min_characters, max_characters, max_length_ratio"
    settings = load_settings(workspace / "params.yaml")
    request = AblationRequest(parse_changes(ASKED[1:3], settings.prepare), 2, 8, {"model.width": 8})
    found = run_ablation(Paths(workspace), NullRecorder(), request)
    assert len(trained) == 6
    pairs = found.train_pairs
    assert pairs["without drop_copies"] > pairs["as it is"] > pairs["with min_characters=3"]
    assert found.metric == "chrf"
    assert not (workspace / "data").exists()
    dev = [json.loads(line) for line in _dev_of_present(workspace).read_text(encoding="utf-8").splitlines()]
    kept = [pair for pair in dev if len(pair["source"]) >= 3 and len(pair["target"]) >= 3]
    assert found.dev_pairs == len(kept) < len(dev)  # judged by what every variant keeps


def test_every_rule_that_dropped_rows_is_tried_without_and_sections_too() -> None:
    scorers = {"forward": "a", "backward": "b", "min_score": 0.1}
    section = PrepareSection.model_validate({"drop_copies": True, "score_filter": scorers, "augment": {"case": 0.1}})
    dropped = {
        "min_characters": 0,
        "drop_copies": 50,
        "deduplicate": 2,
        "leakage": 3,
        "leakage.similar_source": 4,
        "score_filter": 1,
    }
    dropped["score_filter"] = 1
    assert [(change.title, change.value) for change in rules_that_drop(section, dropped)] == [
        ("without drop_copies", False),
        ("without deduplicate", "none"),
        ("without score_filter", None),
    ]
    assert [change.value for change in parse_changes(["score_filter", "augment"], section)] == [None, {}]


def test_what_no_longer_fits_is_done_again(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other present settings change the dev pairs, by which the other variant is then judged; damaged files count as absent."""
    trained = list[int]()
    monkeypatch.setattr(trained_variant, "run_tokenize", lambda *_: None)
    monkeypatch.setattr(trained_variant, "run_train", lambda settings, *_: trained.append(settings.prepare.min_characters))
    monkeypatch.setattr(trained_variant, "Predictor", EchoingPredictor)
    pairs = [f"{word}\t{word[::-1]}" for word in ("ab", "cd", "abcd", "efgh", "abcdef", "fedcba")]
    for split, rows in (("dev", pairs), ("test", ["ghgh\thghg"])):
        (workspace / "raw" / f"{split}.tsv").write_text("\n".join(["source\ttarget", *rows]) + "\n", encoding="utf-8")
    corpus = {"path": "raw", "files": {split: [f"{split}.tsv"] for split in ("train", "dev", "test")}}

    def ablate(present: int, other: int) -> Ablation:
        prepare = {"clean_evaluation_splits": True, "max_dropped_fraction": 1.0, "min_characters": present}
        (workspace / "params.yaml").write_text(yaml.safe_dump(SETTINGS | {"corpus": corpus, "prepare": prepare}), encoding="utf-8")
        section = load_settings(workspace / "params.yaml").prepare
        request = AblationRequest(parse_changes([f"min_characters={other}"], section), 2, 8)
        return run_ablation(Paths(workspace), NullRecorder(), request)

    first = ablate(3, 1)
    assert (first.dev_pairs, trained) == (4, [3, 3, 1, 1])
    trained.clear()
    assert (ablate(1, 3).dev_pairs, trained) == (4, [1, 1, 3, 3])  # what was kept was for the 4 dev pairs of the others
    ablate(3, 1)
    for pattern in ("outputs-0.json", "prepared.json", "tokenized.json", "dev.jsonl"):
        for file in (workspace / ".s2s" / "ablation").glob(f"*/{pattern}"):
            file.write_bytes(file.read_bytes()[:-9])
    trained.clear()
    assert ablate(3, 1) == first
    assert trained == [3, 1]

    def folders() -> set[str]:
        return {path.name for path in (workspace / ".s2s" / "ablation").iterdir() if path.is_dir()}

    before = folders()
    with (workspace / "raw" / "train.tsv").open("a", encoding="utf-8") as train:
        train.write("one more\tpair of train\n")
    ablate(3, 1)
    assert len(folders()) == len(before)
    assert not folders() & before  # no comparison of this corpus finds them


class EchoingPredictor:
    """A model that answers with the source."""

    options = DecodingOptions()

    @classmethod
    def from_folder(cls, folder: Path, device: str, recordings: Path) -> EchoingPredictor:
        own = Paths(recordings.parent.parent.parent)
        assert recordings == own.prepared_audio  # of the variant whose dev pairs are decoded
        assert (own.root / "dev.jsonl").is_file()
        return cls()

    def predict(self, sources: list[str], *_: object, **__: object) -> list[Any]:
        return [SimpleNamespace(text=source) for source in sources]


def test_models_are_those_of_the_workspace_and_another_one_in_the_same_folder_makes_a_new_variant(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"base/model": "1" * 64}

    def find(reference: str, pinned: str, setting: str, paths: Paths) -> Any:
        assert paths.root == workspace
        return FoundModel(paths.root / reference, reference, found[reference]), reference

    for module in (found_models, loading):
        monkeypatch.setattr(module, "find_pinned_model", find)
    values = SETTINGS | {"tokenize": {**SETTINGS["tokenize"], "vocabulary": "base/model"}}
    first = Variant.of("as it is", values, {}, Paths(workspace), {})
    assert first.settings.tokenize.vocabulary == str(workspace / "base" / "model")
    assert Variant.of("as it is", values, {}, Paths(workspace), {}).paths == first.paths
    found["base/model"] = "2" * 64
    assert Variant.of("as it is", values, {}, Paths(workspace), {}).paths != first.paths


def _dev_of_present(workspace: Path) -> Path:
    """The dev pairs of the variant that drops copies and no short pair."""
    for dev in (workspace / ".s2s" / "ablation").glob("*/dev.jsonl"):
        dropped = json.loads((dev.parent / "reports" / "prepare.json").read_text(encoding="utf-8"))["train"]["dropped"]
        if "drop_copies" in dropped and not dropped["min_characters"]:
            return dev
    raise AssertionError("no such variant")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("leakage", "prepare.leakage cannot be put to the test: without it, the model would be judged by pairs"),
        ("drop_copies", "prepare.drop_copies is off, so nothing can be tried without it; drop_copies=VALUE tries a value"),
        ("nonsense", "'nonsense' is no setting of the section prepare; expected one of "),
        ("deduplicate=pair", "prepare.deduplicate is pair already"),
        ("max_length_ratio=[", "'max_length_ratio=[': the value is no YAML"),
    ],
)
def test_what_cannot_be_tried_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_changes([text], PrepareSection())
    assert str(caught.value).startswith(message)


def test_one_training_of_each_and_settings_that_do_not_fit_are_refused(workspace: Path) -> None:
    for options, message in (
        (["drop_copies=maybe"], "with drop_copies=maybe"),
        (["--set", "width=8"], "--set: must be SECTION.NAME=VALUE"),
        (["--set", "model.width.x=8"], "model.width.x: there is no such setting"),
        (["mend=mojibake"], "prepare.mend: must be a list, got 'mojibake'"),
        (["--seeds", "1"], "Invalid value for '--seeds'"),
        (["drop_copies", "drop_copies"], "the rules must be different from one another"),
    ):
        result = CliRunner().invoke(app, ["ablate", *options, "-C", str(workspace)])
        assert result.exit_code == 2, result.output
        assert message in result.output


def test_long_values_stand_whole_in_the_titles() -> None:
    models = f"forward: models:/{'long-name-' * 8}/1, backward: data/backward"
    changes = parse_changes([f"score_filter={{{models}, min_score: {bound}}}" for bound in (0.1, 0.2)], PrepareSection())
    assert [change.title.rpartition(" ")[2] for change in changes] == ["0.1}", "0.2}"]


def test_recordings_of_dev_pairs_that_a_variant_drops_are_there_when_it_tokenises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = {"path": "raw", "source_kind": "audio", "sample_rate": 8000, "files": {"train": ["train.tsv"]}}
    sections: dict[str, Any] = {"corpus": corpus, "tokenize": {"audio": {"num_mels": 8}}, "register": {"model_name": "m"}}
    present, own = Paths(tmp_path / "present"), Paths(tmp_path / "own")
    own.prepared.mkdir(parents=True)
    names = ["sub/a.wav", "b.wav"]
    for name in names:
        (present.prepared_audio / name).parent.mkdir(parents=True, exist_ok=True)
        (present.prepared_audio / name).write_bytes(name.encode())
    dev = present.root / "dev.jsonl"
    dev.write_text("".join(json.dumps({"source": name, "target": "t"}) + "\n" for name in names), encoding="utf-8")
    found = list[bytes]()

    def look(_: object, paths: Paths, __: object) -> None:
        found.extend((paths.prepared_audio / name).read_bytes() for name in names)

    monkeypatch.setattr(trained_variant, "run_tokenize", look)
    Variant("with max_characters=3", parse_settings(sections, "test"), own, {}).tokenize(dev)
    assert found == [name.encode() for name in names]
