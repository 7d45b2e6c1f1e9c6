"""Tags from the prepared corpus to the predictor: a model that reads the order of its output from a tag."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from seq2seq_core.artifacts import Paths
from seq2seq_core.batching.batch import collate
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.bundle.bundle import load_bundle
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.regularization import SubwordSampling
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.config.tokenize import SubwordKind
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import CorpusError, TagError
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train
from seq2seq_core.tokenization.manifest import Manifest
from seq2seq_core.tokenization.special_tokens import BOS_ID, EOS_ID
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.tokenization.tags import TagColumns
from seq2seq_core.training.data.pair_reader import ResegmentedPairs
from seq2seq_core.training.objectives.samples import Sample, draw_samples, score_samples

ORDERS = ("backward", "forward")


def make_rows(seed: int, count: int) -> list[dict[str, str]]:
    """Words, to be said forward or backward."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        order, word = ORDERS[number % 2], "".join(chance.choices("abcd", k=chance.randrange(2, 4)))
        rows.append({"source": word, "target": word if order == "forward" else word[::-1], "order": order, "features": "x;y"})
    return rows


def make_workspace(root: Path, dev: list[dict[str, str]] | None = None, test: list[dict[str, str]] | None = None) -> Paths:
    paths = Paths(root)
    paths.prepared.mkdir(parents=True)
    splits = {"train": make_rows(1, 600), "dev": dev or make_rows(2, 20), "test": test or make_rows(3, 4)}
    for split, rows in splits.items():
        paths.prepared_split(split).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return paths


def make_settings(**tokenize: object) -> Settings:
    sections = {
        "corpus": {"path": "x", "files": {"train": ["train.tsv"]}},
        "register": {"model_name": "m"},
        "tokenize": {"joint": True, "source": {"model": "char"}} | tokenize,
        "model": {"width": 32, "dropout": 0.0},
        "train": {"max_steps": 150, "warmup_steps": 10, "batch_tokens": 800, "learning_rate": 0.01, "label_smoothing": 0.0}
        | {"validate_every_steps": 75, "dev_metric": "exact_match", "dev_sentences": 20},
        "runtime": {"device": "cpu", "progress": "plain"},
    }
    return parse_settings(sections, "test")


@pytest.fixture(scope="module", params=["source_tags", "target_tags"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    paths = make_workspace(tmp_path_factory.mktemp("tags") / "workspace")
    settings = make_settings(**{request.param: ["order"]})
    run_tokenize(settings, paths, NullRecorder())
    result = run_train(settings, paths, NullRecorder())
    assert result.best_dev_score is not None
    assert result.best_dev_score >= 0.9  # dev is decoded with its tags: without them half of it is a guess
    return paths


def test_a_model_says_what_its_tag_asks_for(trained: Paths) -> None:
    predictor = Predictor.from_folder(trained.bundle)
    tags = [{"order": order} for order in ORDERS]
    for options in (DecodingOptions(), DecodingOptions(beam_size=1), DecodingOptions(method="sampling", top_k=1)):
        assert [found.text for found in predictor.predict(["abd", "abd"], options, tags=tags)] == ["dba", "abd"]
    (prefixed,) = predictor.predict(["abd"], prefixes=["db"], tags=[{"order": "backward"}])
    assert prefixed.text == "dba"


def test_a_target_tag_is_no_part_of_text_and_alignment_but_of_the_probability(trained: Paths) -> None:
    predictor = Predictor.from_folder(trained.bundle)
    tags = {"order": "backward", "other": "column"}
    (prediction,) = predictor.predict(["abd"], keep_alignments=True, tags=[tags])
    alignment = prediction.hypotheses[0].alignment
    assert alignment is not None
    assert alignment.target_pieces == ["d", "b", "a", "</s>"]
    is_source_tag = predictor.bundle.config.tags.source == ("order",)
    assert alignment.source_pieces == [*(["<backward>"] if is_source_tag else []), "a", "b", "d", "</s>"]
    assert alignment.weights_TS.shape == (4, len(alignment.source_pieces))
    assert predictor.attention("abd", tags=tags) is not None
    (scored,) = predictor.score(["abd"], ["dba"], tags=[tags])
    assert scored.log_probability == pytest.approx(prediction.hypotheses[0].log_probability, abs=1e-4)
    assert scored.num_tokens == (4 if is_source_tag else 5)


def test_a_source_without_its_tag_is_refused(trained: Paths) -> None:
    predictor = Predictor.from_folder(trained.bundle)
    with pytest.raises(TagError) as caught:
        predictor.predict(["abc", "abd"], tags=[{"order": "forward"}, {"order": "sideways"}])
    assert str(caught.value) == "source 2: tag 'order': must be one of 'backward', 'forward'; got 'sideways'"
    with pytest.raises(TagError, match=r"^source 1: tag 'order': must be given, one of 'backward', 'forward'; got nothing$"):
        predictor.score(["abc"], ["abc"])
    with pytest.raises(ValueError, match=r"^expected tags for each of 2 sources, got 1$"):
        predictor.predict(["a", "b"], tags=[{"order": "forward"}])


@pytest.mark.parametrize("kind", get_args(SubwordKind))
def test_tags_stand_before_the_ids_of_every_split(tmp_path: Path, kind: str) -> None:
    paths = make_workspace(tmp_path)
    subword = {"model": kind, "vocabulary_size": 600}
    run_tokenize(make_settings(source=subword, source_tags=["order", "features"], target_tags=["features"]), paths, NullRecorder())
    manifest = Manifest.load(paths.tokenized)
    assert manifest.tags == TagColumns(source=("order", "features"), target=("features",))
    model = SubwordModel.load(paths.tokenized / "source.model")
    for split in ("train", "dev", "test"):
        dataset = TokenizedDataset.open(paths.tokenized, split)
        rows = [json.loads(line) for line in paths.prepared_split(split).read_text().splitlines()]
        source, target = dataset.source(1).tolist(), dataset.target(1).tolist()
        assert source[:3] == [model.tags[name] for name in (("order", "forward"), ("features", "x"), ("features", "y"))]
        assert target[:2] == [model.tags["features", "x"], model.tags["features", "y"]]
        assert source[-1] == target[-1] == EOS_ID
        assert model.decode([source, target]) == [rows[1]["source"], rows[1]["target"]]


def test_each_side_of_two_vocabularies_has_its_own_tags(tmp_path: Path) -> None:
    paths = make_workspace(tmp_path)
    settings = make_settings(joint=False, source={"model": "char"}, source_tags=["order"], target_tags=["features"])
    run_tokenize(settings, paths, NullRecorder())
    source, target = (SubwordModel.load(paths.tokenized / f"{side}.model") for side in ("source", "target"))
    assert list(source.tags) == [("order", "backward"), ("order", "forward")]
    assert list(target.tags) == [("features", "x"), ("features", "y")]


def test_a_segmentation_drawn_anew_keeps_the_tags(tmp_path: Path) -> None:
    paths = make_workspace(tmp_path)
    size = {"model": "unigram", "vocabulary_size": 60}
    run_tokenize(make_settings(source=size, source_tags=["order"], target_tags=["features"]), paths, NullRecorder())
    model = SubwordModel.load(paths.tokenized / "source.model")
    dataset = TokenizedDataset.open(paths.tokenized, "train")
    reader = ResegmentedPairs(dataset, model, model, SubwordSampling(sides="both", alpha=0.2))
    batch = reader.read(np.arange(40), 7)
    assert (batch.source.values[:, 0] == torch.tensor([dataset.source(row)[0] for row in range(40)])).all()
    assert (batch.target_out_BT[:, :2] == torch.tensor([dataset.target(row)[:2].tolist() for row in range(40)])).all()
    stored = [dataset.source(row).tolist() for row in range(40)]
    assert model.decode(batch.source.values.tolist()) == model.decode(stored)
    assert [row[row > 0].tolist() for row in batch.source.values] != stored


def test_a_pair_without_the_column_or_with_a_new_value_is_named(tmp_path: Path) -> None:
    bad = {"source": "a", "target": "a"}
    paths = make_workspace(tmp_path / "one", dev=[*make_rows(1, 2), bad])
    with pytest.raises(CorpusError) as caught:
        run_tokenize(make_settings(source_tags=["order"]), paths, NullRecorder())
    told = "tag 'order': must be given, one of 'backward', 'forward'; got nothing (tokenize.source_tags, tokenize.target_tags)"
    assert str(caught.value) == f"{paths.prepared_split('dev')}:3: {told}"
    paths = make_workspace(tmp_path / "two", test=[bad | {"order": "new"}])
    with pytest.raises(CorpusError, match=r"test\.jsonl:1: tag 'order': must be one of 'backward', 'forward'; got 'new'"):
        run_tokenize(make_settings(target_tags=["order"]), paths, NullRecorder())
    run_tokenize(make_settings(target_tags=["order"], unknown_tags="ignore"), paths, NullRecorder())
    assert len(TokenizedDataset.open(paths.tokenized, "test").target(0)) == 2


def test_samples_are_given_their_tags_and_not_scored_for_them(trained: Paths) -> None:
    bundle = load_bundle(trained.bundle)
    ids = [bundle.target_tokenizer.tags.get(("order", order), 9) for order in ORDERS]
    dataset = TokenizedDataset.open(trained.tokenized, "train")
    source = collate(dataset, [0, 0]).source
    drawn = draw_samples(bundle.only_model, source, [6, 6], 3, 1.0, 5, [[ids[0]], [ids[1]]])
    assert [{sample.ids[0] for sample in own} for own in drawn] == [{ids[0]}, {ids[1]}]
    scored = score_samples(bundle.only_model, source, drawn)
    unforced = score_samples(bundle.only_model, source, [[Sample(one.ids, one.is_cut) for one in own] for own in drawn])
    assert scored.num_symbols == unforced.num_symbols - 6
    first_V = bundle.model(source, torch.full((2, 1), BOS_ID))[:, 0].log_softmax(dim=-1)
    free = unforced.log_probabilities_N.view(2, 3) - scored.log_probabilities_N.view(2, 3)
    # PAD and BOS are never said, which takes a little off every other symbol's logarithm.
    assert torch.allclose(free, torch.stack([first_V[row, ids[row]] for row in (0, 1)]).unsqueeze(1).expand(2, 3), atol=0.02)


def test_a_bundle_of_before_there_were_tags_has_none(trained: Paths, tmp_path: Path) -> None:
    path = trained.bundle / "config.json"
    content = json.loads(path.read_text())
    assert "order" in [*content["config"]["tags"]["source"], *content["config"]["tags"]["target"]]
    old = tmp_path / "bundle"
    old.mkdir()
    for file in trained.bundle.iterdir():
        (old / file.name).write_bytes(file.read_bytes())
    del content["config"]["tags"]
    (old / "config.json").write_text(json.dumps(content))
    assert load_bundle(old).config.tags == TagColumns()
