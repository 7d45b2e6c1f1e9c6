from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from pathlib import Path

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.drift.corpus_profile import parse_profile
from seq2seq_core.errors import ContractViolation, CorpusError, MissingInput, UserError
from seq2seq_core.normal_form import AS_IT_IS
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.tokenize import TokenizeResult, run_tokenize
from seq2seq_core.tokenization.encode import cut_row
from seq2seq_core.tokenization.manifest import Manifest
from seq2seq_core.tokenization.special_tokens import EOS_ID
from seq2seq_core.tokenization.subword import SubwordModel

Pairs = list[tuple[str, str]]
TRAIN: Pairs = [("eins zwei", "1 2"), ("drei", "3"), ("vier  fünf", "4 5"), ("sechs", "6")]
DEV: Pairs = [("zwei drei", "2 3")]
TEST: Pairs = [("fünf ▁", "5"), ("", "")]


class MetricsRecorder(NullRecorder):
    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}

    def log_metrics(self, metrics: object, step: int | None = None) -> None:
        assert isinstance(metrics, dict)
        self.metrics |= metrics


def make_settings(**tokenize: object) -> Settings:
    sections = {
        "corpus": {"path": "x", "files": {"train": ["train.tsv"]}},
        "register": {"model_name": "m"},
        "tokenize": {"source": {"model": "char"}, "target": {"model": "symbols"}} | tokenize,
    }
    return parse_settings(sections, "test")


def make_workspace(root: Path, train: Pairs = TRAIN, dev: Pairs = DEV, test: Pairs = TEST) -> Paths:
    paths = Paths(root)
    paths.prepared.mkdir(parents=True)
    for split, pairs in (("train", train), ("dev", dev), ("test", test)):
        lines = [json.dumps({"source": source, "target": target, "language": "de"}, ensure_ascii=False) for source, target in pairs]
        paths.prepared_split(split).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    AS_IT_IS.save(paths.prepared_normal_form)
    return paths


def run(paths: Paths, **tokenize: object) -> TokenizeResult:
    return run_tokenize(make_settings(**tokenize), paths, NullRecorder())


def digest_all(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_every_split_is_written_as_ids_that_give_the_text_back(tmp_path: Path) -> None:
    paths = make_workspace(tmp_path)
    result = run(paths)
    assert result.pairs == {"train": 4, "dev": 1, "test": 2}
    source = SubwordModel.load(paths.tokenized / "source.model")
    dataset = TokenizedDataset.open(paths.tokenized, "train")
    for row, (text, _) in enumerate(TRAIN):
        ids = dataset.source(row).tolist()
        assert ids[-1] == EOS_ID
        assert source.decode([ids]) == [text]
    assert TokenizedDataset.open(paths.tokenized, "test").target(1).tolist() == [EOS_ID]


def test_the_manifest_states_sizes_counts_and_digests(tmp_path: Path) -> None:
    paths = make_workspace(tmp_path)
    result = run(paths)
    manifest = Manifest.load(paths.tokenized)
    assert manifest.source.vocabulary_size == result.source_vocabulary_size
    assert manifest.target.vocabulary_size == result.target_vocabulary_size == 4 + 6
    assert (manifest.source.kind, manifest.joint) == ("ids", False)
    dataset = TokenizedDataset.open(paths.tokenized, "train")
    assert manifest.splits["train"].source_tokens == int(dataset.source_lengths.sum())
    assert manifest.splits["train"].target_tokens == int(dataset.target_lengths.sum())
    assert manifest.digests == {name: digest for name, digest in digest_all(paths.tokenized).items() if name != "manifest.json"}


def test_the_profile_is_of_train_by_the_vocabularies_of_the_model(tmp_path: Path) -> None:
    paths = make_workspace(tmp_path)
    run(paths)
    profile = parse_profile(paths.corpus_profile.read_bytes(), "it")
    assert profile.rows == len(TRAIN)
    for side, name, texts in (
        (profile.source, "source", [one for one, _ in TRAIN]),
        (profile.target, "target", [one for _, one in TRAIN]),
    ):
        assert side is not None
        assert side.character_counts() == Counter("".join(texts))
        assert side.pieces is not None
        assert side.pieces.vocabulary == digest_all(paths.tokenized)[f"{name}.model"]
        assert sum(side.pieces.counts) == sum(
            len(ids) for ids in SubwordModel.load(paths.tokenized / f"{name}.model").encode(texts)
        )


def test_dev_texts_are_kept_for_training(tmp_path: Path) -> None:
    paths = make_workspace(tmp_path)
    run(paths)
    assert (paths.tokenized / "dev.jsonl").read_text(encoding="utf-8") == '{"source": "zwei drei", "target": "2 3"}\n'


def test_a_second_run_writes_the_same_bytes(tmp_path: Path) -> None:
    folders = []
    for name in ("one", "two"):
        paths = make_workspace(tmp_path / name)
        run(paths)
        run(paths)  # over its own output
        folders.append(digest_all(paths.tokenized) | {"report": paths.tokenize_report.read_text()})
        assert sorted(path.name for path in paths.tokenized.parent.iterdir()) == ["prepared", "tokenized"]
    assert folders[0] == folders[1]


def test_a_joint_vocabulary_is_one_model_for_both_sides(tmp_path: Path) -> None:
    paths = make_workspace(tmp_path)
    result = run(paths, joint=True, source={"model": "char"}, target={})
    assert result.source_vocabulary_size == result.target_vocabulary_size
    assert (paths.tokenized / "source.model").read_bytes() == (paths.tokenized / "target.model").read_bytes()
    assert Manifest.load(paths.tokenized).joint
    assert json.loads(paths.tokenize_report.read_text())["train"]["target"]["unknown_fraction"] == 0


def test_too_long_train_pairs_are_dropped_and_counted_but_not_those_of_dev_and_test(tmp_path: Path) -> None:
    paths = make_workspace(tmp_path, dev=[("eins zwei drei", "1 2 3")])
    result = run(paths, max_source_tokens=6, max_target_tokens=2)
    assert result.dropped_too_long == 2
    assert result.pairs == {"train": 2, "dev": 1, "test": 2}
    assert TokenizedDataset.open(paths.tokenized, "train").source_lengths.tolist() == [5, 6]
    assert json.loads(paths.tokenize_report.read_text())["train"]["dropped_too_long"] == 2


def test_too_long_sources_are_cut_in_every_split_where_the_settings_say_so(tmp_path: Path) -> None:
    paths = make_workspace(tmp_path, dev=[("eins zwei drei", "1 2 3")])
    result = run(paths, max_source_tokens=6, max_target_tokens=2, long_source="truncate")
    assert result.pairs == {"train": 2, "dev": 1, "test": 2}  # too long targets are dropped all the same
    source = SubwordModel.load(paths.tokenized / "source.model")
    dev = TokenizedDataset.open(paths.tokenized, "dev")
    assert (dev.source_lengths.tolist(), source.decode([dev.source(0).tolist()])) == ([6], ["eins "])
    assert dev.source(0)[-1] == EOS_ID
    assert Manifest.load(paths.tokenized).max_source_tokens == 6
    report = json.loads(paths.tokenize_report.read_text())
    assert [report[split]["truncated_sources"] for split in ("train", "dev", "test")] == [2, 1, 1]
    run(paths, max_source_tokens=6)
    assert Manifest.load(paths.tokenized).max_source_tokens is None
    assert "truncated_sources" not in json.loads(paths.tokenize_report.read_text())["train"]


def test_of_a_long_conversation_the_end_may_be_kept_behind_its_tags(tmp_path: Path) -> None:
    paths = make_workspace(tmp_path)
    run(paths, max_source_tokens=6, long_source="truncate_start", source_tags=["language"])
    source = SubwordModel.load(paths.tokenized / "source.model")
    row = TokenizedDataset.open(paths.tokenized, "train").source(0).tolist()
    assert row[0] == source.tags["language", "de"]
    assert (len(row), row[-1], source.decode([row])) == (6, EOS_ID, ["zwei"])
    assert Manifest.load(paths.tokenized).keeps_source_end
    assert cut_row([4, 5, 6, 7, 8, EOS_ID], 3, 2, keeps_end=True) == [4, 5, EOS_ID]
    assert cut_row([4, 5, EOS_ID], 1, 2, keeps_end=True) == [EOS_ID]


def test_the_report_tells_lengths_and_unknown_tokens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = make_workspace(tmp_path, test=[("heins", "1 9 9")])
    recorder = MetricsRecorder()
    with caplog.at_level(logging.WARNING):
        run_tokenize(make_settings(max_unknown_target_fraction=0.5), paths, recorder)
    report = json.loads(paths.tokenize_report.read_text())
    assert report["test"]["source"] == {"mean_tokens": 6.0, "max_tokens": 6, "unknown_fraction": 0.0}
    assert report["test"]["target"] == {"mean_tokens": 4.0, "max_tokens": 4, "unknown_fraction": 0.5}
    assert recorder.metrics["test_target_unknown_fraction"] == 0.5
    assert [record.getMessage() for record in caplog.records] == [
        "test: 50.0 % of the target tokens are unknown to the vocabulary (tokenize.target: vocabulary_size, character_coverage)"
    ]


@pytest.mark.parametrize(("joint", "side", "kind"), [(False, "target", "symbols"), (True, "source", "char")])
def test_too_many_unknown_target_symbols_are_an_error_that_shows_them(tmp_path: Path, joint: bool, side: str, kind: str) -> None:
    paths = make_workspace(tmp_path, test=[("eins", "1"), ("acht", "ẞẞ ẞ"), ("neun", "ẞẞẞẞ")])
    own = {"joint": True, "source": {"model": "char"}, "target": {}} if joint else {}
    with pytest.raises(ContractViolation) as caught:
        run(paths, **own)
    message = str(caught.value)
    assert message.startswith("test: ")
    assert "expected at most 10 % (tokenize.max_unknown_target_fraction)" in message
    assert f"tokenize.{side}: model {kind!r} may not suit these texts" in message
    test = paths.prepared_split("test")
    assert message.splitlines()[1:] == [f'    {test}:2: "ẞẞ ẞ"', f'    {test}:3: "ẞẞẞẞ"']
    assert not paths.tokenized.exists()
    assert run(paths, max_unknown_target_fraction=1.0, **own).pairs["test"] == 3


def test_an_empty_dev_split_is_accepted(tmp_path: Path) -> None:
    paths = make_workspace(tmp_path, dev=[])
    assert run(paths).pairs["dev"] == 0
    assert len(TokenizedDataset.open(paths.tokenized, "dev")) == 0


def test_more_pairs_than_a_chunk_are_all_written(tmp_path: Path) -> None:
    paths = make_workspace(tmp_path, train=[(f"{n} a", f"{n % 7}") for n in range(5000)])
    assert run(paths).pairs["train"] == 5000
    dataset = TokenizedDataset.open(paths.tokenized, "train")
    assert SubwordModel.load(paths.tokenized / "source.model").decode([dataset.source(4999).tolist()]) == ["4999 a"]


def test_a_missing_split_names_the_command_and_leaves_the_old_output(tmp_path: Path) -> None:
    paths = make_workspace(tmp_path)
    run(paths)
    before = digest_all(paths.tokenized)
    paths.prepared_split("test").unlink()
    with pytest.raises(MissingInput) as caught:
        run(paths)
    assert str(caught.value) == f"{paths.prepared}/test.jsonl: no such file; `s2s prepare` (or `dvc repro prepare`) makes it"
    assert digest_all(paths.tokenized) == before
    assert sorted(path.name for path in paths.tokenized.parent.iterdir()) == ["prepared", "tokenized"]


def test_a_broken_line_is_named_and_nothing_is_left_half_written(tmp_path: Path) -> None:
    paths = make_workspace(tmp_path)
    with paths.prepared_split("dev").open("a") as file:
        file.write("{broken\n")
    with pytest.raises(CorpusError, match=r"dev\.jsonl:2: "):
        run(paths)
    assert not paths.tokenize_report.exists()
    assert [path.name for path in paths.tokenized.parent.iterdir()] == ["prepared"]


def test_an_empty_train_split_is_refused(tmp_path: Path) -> None:
    paths = make_workspace(tmp_path, train=[])
    with pytest.raises(UserError) as caught:
        run(paths)
    assert (
        str(caught.value) == "tokenize.source: train has no text to make a vocabulary from, expected at least one that is not empty"
    )


def test_train_without_a_pair_that_is_short_enough_is_refused(tmp_path: Path) -> None:
    paths = make_workspace(tmp_path)
    with pytest.raises(UserError) as caught:
        run(paths, max_source_tokens=2)
    assert str(caught.value) == (
        "tokenize.max_source_tokens, tokenize.max_target_tokens: all 4 train pairs are longer than 2 source or 512 target tokens, "
        "expected at least one that is not"
    )


def test_a_manifest_of_another_format_is_refused(tmp_path: Path) -> None:
    paths = make_workspace(tmp_path)
    run(paths)
    path = paths.tokenized / "manifest.json"
    path.write_text(path.read_text().replace('"format_version": 1', '"format_version": 9'))
    with pytest.raises(UserError) as caught:
        Manifest.load(paths.tokenized)
    assert str(caught.value) == (
        f"{path}: not a manifest of format 1 (format_version: Input should be 1); `s2s tokenize` makes it anew"
    )


def test_a_missing_manifest_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(MissingInput) as caught:
        Manifest.load(tmp_path)
    assert str(caught.value) == f"{tmp_path}/manifest.json: no such file; `s2s tokenize` (or `dvc repro tokenize`) makes it"
