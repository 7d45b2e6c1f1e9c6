"""Denoising and back-translation: what the parts of an update are, what they weigh, and that a kill changes nothing."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_core.artifacts import Paths
from seq2seq_core.batching.batch import Batch
from seq2seq_core.batching.part import PAIRS, Part
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.config.train import Phase
from seq2seq_core.errors import UserError
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.learning_curve import run_learning_curve
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train
from seq2seq_core.tokenization.special_tokens import EOS_ID
from seq2seq_core.training.data.inputs import TrainingInputs, read_inputs
from seq2seq_core.training.data.parts import open_parts
from seq2seq_core.training.data.update_plan import Place, UpdatePlan
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.objectives.back_translation import OnlineBackTranslation, _translation_measures
from seq2seq_core.training.objectives.denoising import Denoising, denoising_weight
from seq2seq_core.training.objectives.label_smoothing import likelihood_sums
from seq2seq_core.training.objectives.monolingual_mixture import MonolingualMixture
from seq2seq_core.training.objectives.objective import Measure, Moment
from seq2seq_core.training.objectives.samples import Sample, draw_samples
from seq2seq_core.training.round_trip import RoundTrips, open_round_trips
from seq2seq_core.training.updates.updater import Updater
from tests.training_runs import ListRecorder, output_digests, train_until

CPU = Placement(torch.device("cpu"), is_bfloat16=False)
WEIGHTS = {"likelihood_weight": 0.5, "denoising_weight": 2.0, "back_translation_weight": 3.0}
MIXED: dict[str, Any] = {
    "objective": "back_translation", "label_smoothing": 0.0, "mixture": WEIGHTS, "back_translation": {"round_trip_sentences": 3},
}  # fmt: skip
THREE_PHASES = [
    {"objective": "denoising", "max_steps": 4},
    MIXED | {"max_steps": 5},
    {"objective": "back_translation", "max_steps": 3, "back_translation": {"decoding": "sampling", "round_trip_sentences": 0}},
]
PartMaker = Callable[[], dict[Part, Batch]]


def make_settings(phases: list[dict[str, Any]], has_pairs: bool = True) -> Settings:
    splits = ("train", "dev", "test") if has_pairs else ("dev", "test")
    return parse_settings(
        {
            "corpus": {
                "path": "x",
                "files": {"train": []} | {split: [f"{split}.tsv"] for split in splits},
                "monolingual": [{"file": "en.txt", "language": "en"}, {"file": "de.txt", "language": "de"}],
            },
            "register": {"model_name": "m"},
            "tokenize": {
                "joint": True,
                "source": {"model": "symbols"},
                "source_tags": ["source_language", "target_language"],
            },
            "model": {"width": 8, "dropout": 0.2},
            "train": {"batch_tokens": 60, "warmup_steps": 2, "validate_every_steps": 3, "dev_sentences": 4, "phases": phases},
            "runtime": {"device": "cpu", "progress": "plain", "log_every_steps": 2},
        },
        "test",
    )


def tokenize(root: Path, has_pairs: bool) -> Path:
    """Words of English and German numbers: 40 sentences of the one and 25 of the other, of 2 to 6 words."""
    paths, chance = Paths(root), random.Random(5)
    paths.prepared.mkdir(parents=True)

    def say(language: str) -> str:
        return " ".join(f"{language}{chance.randrange(9)}" for _ in range(chance.randint(2, 6)))

    for split, count in (("train", 12 if has_pairs else 0), ("dev", 6), ("test", 2)):
        rows = [{"source": say("e"), "target": say("d"), "source_language": "en", "target_language": "de"} for _ in range(count)]
        paths.prepared_split(split).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for language, letter, count in (("en", "e", 40), ("de", "d", 25)):
        lines = [json.dumps({"text": say(letter)}) + "\n" for _ in range(count)]
        paths.prepared_sentences(language).write_text("".join(lines), encoding="utf-8")
    run_tokenize(make_settings([{"objective": "denoising"}], has_pairs), paths, NullRecorder())
    return paths.tokenized


@pytest.fixture(scope="module")
def tokenized(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    return {has_pairs: tokenize(tmp_path_factory.mktemp("corpus"), has_pairs) for has_pairs in (True, False)}


@pytest.fixture
def new_paths(tokenized: dict[bool, Path], tmp_path: Path) -> Callable[..., Paths]:
    def make(name: str, has_pairs: bool = True) -> Paths:
        paths = Paths(tmp_path / name)
        paths.tokenized.parent.mkdir(parents=True)
        paths.tokenized.symlink_to(tokenized[has_pairs])
        return paths

    return make


@pytest.fixture
def inputs(tokenized: dict[bool, Path]) -> TrainingInputs:
    return read_inputs(tokenized[True], 4)


@pytest.fixture
def model(inputs: TrainingInputs) -> Seq2Seq:
    size = inputs.manifest.source.vocabulary_size
    return build_model(make_settings([]).model.model_copy(update={"dropout": 0.0}), size, size, True)


def make_phase(**settings: Any) -> Phase:
    own = {"back_translation": {"round_trip_sentences": 3} | settings.pop("back_translation", {})}
    return Phase.model_validate(MIXED | {"batch_tokens": 60} | settings | own)


def read_parts(inputs: TrainingInputs, phase: Phase) -> dict[Part, Batch]:
    """The first batch of each part."""
    return {
        part: source.reader.read(source.sampler.epoch_batches(0)[0], 0) for part, source in open_parts(inputs, phase, 1).items()
    }


def rows_of(batch: Batch) -> list[list[int]]:
    values, lengths = batch.source.values.tolist(), batch.source.lengths_B.tolist()
    return [row[:length] for row, length in zip(values, lengths, strict=True)]


def targets_of(batch: Batch) -> list[list[int]]:
    rows = zip(batch.target_out_BT.tolist(), batch.target_lengths_B.tolist(), strict=True)
    return [row[: length - 1] for row, length in rows]


# --- the parts of an update ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [PAIRS, Part("denoising", "de"), Part("denoising", "en"), Part("back_translation", "de", "en"),
              Part("back_translation", "en", "de")]),
        ({"objective": "denoising"}, [PAIRS, Part("denoising", "de"), Part("denoising", "en")]),
        ({"mixture": {"denoising_weight": 0}}, [Part("back_translation", "de", "en"), Part("back_translation", "en", "de")]),
        ({"objective": "likelihood"}, [PAIRS]),
    ],
)  # fmt: skip
def test_an_update_has_a_batch_of_each_part_with_a_weight(
    inputs: TrainingInputs, settings: dict[str, Any], expected: list[Part]
) -> None:
    parts = open_parts(inputs, make_phase(**settings), 1)
    assert list(parts) == expected
    plan = UpdatePlan({part: source.sampler for part, source in parts.items()}, accumulation=2)
    first = next(plan.updates_from(Place()))
    assert [batch.part for batch in first.batches] == [part for part in expected for _ in range(2)]


def test_every_sentence_comes_equally_often_whatever_the_size_of_its_corpus_and_from_any_place(inputs: TrainingInputs) -> None:
    samplers = {part: source.sampler for part, source in open_parts(inputs, make_phase(), 1).items()}
    plan = UpdatePlan(samplers, 1)
    assert plan.main == max(samplers, key=lambda part: samplers[part].num_batches)
    count = 4 * plan.updates_per_epoch
    updates = list(islice(plan.updates_from(Place()), count))
    for number, (part, sampler) in enumerate(samplers.items()):
        seen = [update.batches[number].indices for update in updates]
        for first in range(0, count - sampler.num_batches + 1, sampler.num_batches):
            one_pass = np.concatenate(seen[first : first + sampler.num_batches])
            assert len(one_pass) == len(set(one_pass.tolist())), part
    for start in (1, count // 2, count - 1):
        again = next(UpdatePlan(samplers, 1).updates_from(updates[start - 1].after))
        assert again.place == updates[start].place
        assert all(
            np.array_equal(mine.indices, its.indices) for mine, its in zip(again.batches, updates[start].batches, strict=True)
        )


def test_sentences_of_round_trips_are_kept_out_of_the_phase(inputs: TrainingInputs) -> None:
    parts = open_parts(inputs, make_phase(), 1)
    sampler, reader = parts[Part("denoising", "de")]
    batches = [reader.read(indices, 0) for indices in sampler.epoch_batches(0)]
    whole = [inputs.monolingual.sentences["de"].target(index).tolist()[:-1] for index in range(25)]
    assert sorted(row for batch in batches for row in targets_of(batch)) == sorted(whole[3:])
    round_trips = open_round_trips(inputs.monolingual, make_phase(), CPU)
    assert round_trips is not None
    assert round_trips.rows["de"] == whole[:3]
    assert open_round_trips(inputs.monolingual, make_phase(objective="denoising"), CPU) is None
    with pytest.raises(UserError) as caught:
        open_parts(inputs, make_phase(back_translation={"round_trip_sentences": 25}), 1)
    assert str(caught.value) == (
        "train.back_translation.round_trip_sentences: must be below the 25 sentences of monolingual.de, got 25"
    )


def test_a_corpus_without_what_a_phase_learns_from_is_refused(inputs: TrainingInputs) -> None:
    none = replace(inputs.monolingual, sentences={})
    with pytest.raises(UserError, match=r"^there are no monolingual sentences, expected some .* objective 'denoising'"):
        open_parts(replace(inputs, monolingual=none), make_phase(objective="denoising"), 1)
    with pytest.raises(UserError, match=r"^train has no pairs, expected at least one .* objective 'back_translation'"):
        open_parts(replace(inputs, train=inputs.train.select(np.array([], dtype=np.int64))), make_phase(), 1)


# --- what stands in for the source -----------------------------------------------------------------------------------
def test_a_noisy_sentence_asks_for_its_own_language(inputs: TrainingInputs, model: Seq2Seq) -> None:
    corpora, phase = inputs.monolingual, make_phase(noise={"drop_probability": 0.5})
    denoising = Denoising(phase, corpora)
    batch = read_parts(inputs, phase)[Part("denoising", "de")]
    noisy, measures = denoising.corrupt(batch, Moment(1, 7))
    prefix = corpora.prefix("de", "de")
    assert [corpora.tokenizer.pieces([id_])[0] for id_ in prefix] == ["<de>", "<de>"]
    assert all(row[:2] == prefix and row[-1] == EOS_ID for row in rows_of(noisy))
    for row, target in zip(rows_of(noisy), targets_of(batch), strict=True):
        assert set(row[2:-1]) <= {*target, corpora.mask_id}
    assert torch.equal(noisy.target_out_BT, batch.target_out_BT)
    assert 0.0 < measures["noise_dropped"].total / measures["noise_dropped"].number < 1.0
    assert set(measures) == {"noise_displacement", "noise_dropped", "noise_blanked"}
    again, _ = denoising.corrupt(batch, Moment(1, 7))
    other, _ = denoising.corrupt(batch, Moment(1, 8))
    assert rows_of(again) == rows_of(noisy) != rows_of(other)


@pytest.mark.parametrize("decoding", ["greedy", "sampling"])
def test_a_translation_is_the_models_own_and_asks_for_the_way_back(
    inputs: TrainingInputs, model: Seq2Seq, decoding: str, fresh_seed: int
) -> None:
    corpora = inputs.monolingual
    phase = make_phase(back_translation={"decoding": decoding, "temperature": 0.7, "max_length_ratio": 1.5})
    batch = read_parts(inputs, phase)[Part("back_translation", "de", "en")]
    assert rows_of(batch) == [[*corpora.prefix("de", "en"), *row, EOS_ID] for row in targets_of(batch)]
    translated, measures = OnlineBackTranslation(phase, CPU, corpora).translate(model.train(), batch, Moment(1, fresh_seed))
    assert model.training
    for row, target in zip(rows_of(translated), targets_of(batch), strict=True):
        assert row[:2] == corpora.prefix("en", "de")
        assert len(row) - 3 <= 1.5 * (len(target) + 1)
        assert not set(row[2:-1]) & set(corpora.tokenizer.tag_ids)
    if decoding == "greedy":
        limits = [int(1.5 * length) for length in batch.target_lengths_B.tolist()]
        drawn = draw_samples(model.eval(), batch.source, limits, 1, 0.0, 0, (), corpora.tokenizer.tag_ids)
        assert [row[2:-1] for row in rows_of(translated)] == [list(sample.ids) for (sample,) in drawn]
    shares = ("translation_empty", "translation_cut", "translation_copied")
    assert {measures[name].number for name in shares} == {len(rows_of(batch))}
    ratio = measures["translation_length_ratio"]
    assert ratio.total == sum(len(row) - 3 for row in rows_of(translated))
    assert ratio.number == sum(map(len, targets_of(batch)))


def test_empty_cut_and_copied_translations_are_counted(inputs: TrainingInputs, model: Seq2Seq) -> None:
    corpora, phase = inputs.monolingual, make_phase()
    batch = read_parts(inputs, phase)[Part("back_translation", "de", "en")]
    back_translation = OnlineBackTranslation(phase, CPU, corpora)
    (bias,) = [parameter for name, parameter in model.named_parameters() if name == "output.bias"]
    shares = {}
    with torch.no_grad():
        for id_ in (EOS_ID, corpora.mask_id, corpora.tokenizer.vocabulary_size - 1):
            bias.zero_()
            bias[id_] = 1e4
            translated, measures = back_translation.translate(model, batch, Moment(1, 1))
            shares[id_] = {name: measure.total / measure.number for name, measure in measures.items()}
            if id_ == corpora.mask_id:
                assert id_ not in translated.source.values, "a symbol that is no word was said"
    empty, _, cut = shares.values()
    assert (empty["translation_empty"], empty["translation_cut"], empty["translation_length_ratio"]) == (1.0, 0.0, 0.0)
    assert (cut["translation_empty"], cut["translation_cut"]) == (0.0, 1.0)
    assert empty["translation_entropy"] == cut["translation_entropy"] == 0.0
    samples = [Sample((5, 6), is_cut=False), Sample((5,), is_cut=True), Sample((), is_cut=False)]
    copied = _translation_measures(samples, [[5, 6], [5, 7], [8]])["translation_copied"]
    assert copied == Measure(1, 3)


# --- the loss --------------------------------------------------------------------------------------------------------
def test_each_part_weighs_what_its_weight_says_a_token_of_its_own(
    inputs: TrainingInputs, model: Seq2Seq, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gradient of an update against the sum of weighted means over the tokens of each kind, on the batches that it saw."""
    phase = make_phase(accumulation=1, gradient_clip_norm=0.0)
    batches = list(read_parts(inputs, phase).values())
    seen: list[Batch] = []
    mixture = MonolingualMixture(phase, CPU, inputs.monolingual)
    likelihood = mixture.likelihood.loss

    def look(model: Seq2Seq, batch: Batch, *arguments: Any) -> Any:
        seen.append(batch)
        return likelihood(model, batch, *arguments)

    monkeypatch.setattr(mixture.likelihood, "loss", look)
    updater = Updater(model, phase, CPU, 0, mixture)
    monkeypatch.setattr(updater.optimizer, "step", lambda: None)
    result = updater.apply(batches, 1, 3)
    gradients = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
    model.zero_grad()
    tokens = {
        kind: sum(batch.num_target_tokens for batch in seen if batch.part.kind == kind)
        for kind in ("pairs", "denoising", "back_translation")
    }
    weights = dict(zip(tokens, (0.5, 2.0, 3.0), strict=True))
    loss = torch.zeros(())
    for batch in seen:
        sums = likelihood_sums(model(batch.source, batch.target_in_BT), batch.target_out_BT, 0.0)
        loss = loss + weights[batch.part.kind] * sums.objective / tokens[batch.part.kind]
    torch.autograd.backward(loss)
    expected = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    for mine, its in zip(gradients, expected, strict=True):
        torch.testing.assert_close(mine, its)
    losses = [measure for name, measure in result.measures.items() if name.endswith("_loss")]
    assert len(losses) == 3
    assert sum(measure.total for measure in losses) == pytest.approx(result.negative_log_likelihood)
    assert sum(measure.number for measure in losses) == result.target_tokens


def test_the_entropy_of_a_model_that_knows_nothing_is_that_of_all_words(inputs: TrainingInputs, model: Seq2Seq) -> None:
    """Of every symbol but PAD, BOS and the tags, the mask among them."""
    corpora, phase = inputs.monolingual, make_phase()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    batch = read_parts(inputs, phase)[Part("back_translation", "de", "en")]
    _, measures = OnlineBackTranslation(phase, CPU, corpora).translate(model, batch, Moment(1, 1))
    num_sayable = corpora.tokenizer.vocabulary_size - 2 - len(corpora.tokenizer.tag_ids)
    total, number = measures["translation_entropy"]
    assert total / number == pytest.approx(math.log(num_sayable))


@pytest.mark.parametrize(("step", "expected"), [(1, 1.0), (6, 0.75), (11, 0.5), (1000, 0.5)])
def test_the_weight_of_denoising_falls_in_a_line(step: int, expected: float) -> None:
    settings = {"denoising_decay_steps": 10, "denoising_final_weight": 0.5}
    assert denoising_weight(step, make_phase(mixture=settings)) == pytest.approx(expected)
    assert denoising_weight(step, make_phase(mixture={})) == 1.0


# --- a whole training ------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def whole(tokenized: dict[bool, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The outputs of a run that nothing interrupted."""
    paths = Paths(tmp_path_factory.mktemp("whole"))
    paths.tokenized.parent.mkdir(parents=True)
    paths.tokenized.symlink_to(tokenized[True])
    run_train(make_settings(THREE_PHASES), paths, NullRecorder())
    return output_digests(paths)


@pytest.mark.parametrize("step", [3, 6, 11])
def test_a_run_stopped_in_any_phase_and_started_again_ends_in_the_same_outputs(
    new_paths: Callable[..., Paths], whole: dict[str, str], monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    settings, stopped = make_settings(THREE_PHASES), new_paths("stopped")
    train_until(step, settings, stopped, monkeypatch)
    run_train(settings, stopped, NullRecorder())
    assert output_digests(stopped) == whole


def test_a_corpus_without_pairs_is_trained_on_and_the_curves_tell_what_was_done(new_paths: Callable[..., Paths]) -> None:
    back = {"objective": "back_translation", "max_steps": 4, "back_translation": {"round_trip_sentences": 3}}
    recorder = ListRecorder()
    result = run_train(make_settings([{"objective": "denoising", "max_steps": 2}, back], False), new_paths("a", False), recorder)
    assert result.steps == 6
    points = [metrics for _, metrics in recorder.points]
    names = [set(point) for point in points]
    first, last = (next(point for point in points if "train_loss" in point) for points in (names, names[::-1]))
    noise = {"denoising_loss", "noise_displacement", "noise_dropped", "noise_blanked"}
    assert noise <= first
    assert noise | {"back_translation_loss", "translation_empty", "translation_cut", "translation_copied"} <= last
    assert "pairs_loss" not in first | last
    (dev,) = [point for point in points[-4:] if "round_trip_chrf_de_en" in point and "dev_loss" in point][-1:]
    assert 0.0 <= dev["round_trip_chrf_en_de"] <= 100.0


def test_a_learning_curve_by_pairs_needs_pairs(new_paths: Callable[..., Paths]) -> None:
    paths = new_paths("a", False)
    with pytest.raises(UserError) as caught:
        run_learning_curve(make_settings([{"objective": "denoising"}], False), paths, NullRecorder())
    expected = f"{paths.tokenized}: train has no pairs, expected some to take parts of (corpus.files.train)"
    assert str(caught.value) == expected


def test_a_round_trip_without_loss_scores_full_marks(
    inputs: TrainingInputs, model: Seq2Seq, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways: list[tuple[str, str]] = []

    def copy(self: RoundTrips, model: Seq2Seq, rows: list[list[int]], source: str, target: str, between: object) -> list[list[int]]:
        ways.append((source, target))
        return rows if (source, target) != ("de", "en") else [row[:1] for row in rows]

    monkeypatch.setattr(RoundTrips, "_translate", copy)
    sentences = {language: dataset.select(np.arange(4)) for language, dataset in inputs.monolingual.sentences.items()}
    scores = RoundTrips(inputs.monolingual, sentences, CPU).score(model.eval(), lambda: None)
    assert ways == [("de", "en"), ("en", "de"), ("en", "de"), ("de", "en")]
    assert list(scores) == ["round_trip_chrf_de_en", "round_trip_chrf_en_de"]
    assert max(scores.values()) < 100.0
    monkeypatch.setattr(RoundTrips, "_translate", lambda self, model, rows, *others: rows)
    assert set(RoundTrips(inputs.monolingual, sentences, CPU).score(model, lambda: None).values()) == {100.0}


def test_translations_of_round_trips_come_back_in_order(inputs: TrainingInputs, model: Seq2Seq) -> None:
    sentences = {language: dataset.select(np.arange(20)) for language, dataset in inputs.monolingual.sentences.items()}
    round_trips = RoundTrips(inputs.monolingual, sentences, CPU)
    model = model.double().eval()  # single precision leaves ties to the size of the batch
    together = round_trips._translate(model, round_trips.rows["de"], "de", "en", lambda: None)
    alone = [round_trips._translate(model, [row], "de", "en", lambda: None)[0] for row in round_trips.rows["de"]]
    assert together == alone
