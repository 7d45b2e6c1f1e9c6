"""A bundle that is damaged, or made to hurt, is refused by a BundleError; it costs neither much memory nor an answer."""

from __future__ import annotations

import copy
import json
import os
import random
import re
import resource
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_core.bundle.bundle import check_bundle, load_bundle, save_bundle
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.config_file import BundleConfig
from seq2seq_core.bundle.served_bundle import export_bundle
from seq2seq_core.bundle.stored_calibrator import PromisedError, StoredCalibrator
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import BundleError
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.tokenization.manifest import file_digest
from seq2seq_core.tokenization.subword import SubwordModel, train_subword

CONFIG, WEIGHTS, SOURCE, TARGET = "config.json", "model.safetensors", "source.model", "target.model"
MEGABYTE = 1 << 20
NASTY: tuple[Any, ...] = (10**9, -1, 0, 1.5, 1e308, "", "../x", "a" * 5000, None, True, [], {}, [[]] * 50, 2**70, "NaN", "\ud800")
Config = dict[str, Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported bundle of a tiny model."""
    tokenizer, room = train_subword(["abc defg"], SubwordSettings(model="char")), tmp_path_factory.mktemp("made")
    config, model = make_model(tokenizer)
    save_bundle(room / "bundle", model, config, tokenizer, tokenizer, {"manifest.json": "0" * 64})
    promise = PromisedError(max_error=0.1, min_confidence=0.5, answered=0.9, error=0.05)
    calibrator = StoredCalibrator(
        event="chrf", min_chrf=60.0, intercept=1.0, weights={"doubt": -2.0}, rows=50, right=25, promises=[promise]
    )
    export_bundle(room / "bundle", room / "served", DecodingOptions(beam_size=2), calibrate=lambda _: calibrator)
    return room / "served"


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "bundle"))


def make_model(tokenizer: SubwordModel) -> tuple[BundleConfig, Seq2Seq]:
    size = tokenizer.vocabulary_size
    config = BundleConfig(
        model=ModelSection(width=8, architecture="transformer", heads=2, feedforward_width=16),
        source_vocabulary_size=size,
        target_vocabulary_size=size,
        joint=False,
    )
    torch.manual_seed(1)
    return config, build_model(config.model, size, size, False)


def edit(folder: Path, change: Callable[[Config], object]) -> None:
    content = json.loads((folder / CONFIG).read_text())
    change(content)
    (folder / CONFIG).write_text(json.dumps(content))


def restate_digests(folder: Path) -> None:
    """Makes ``config.json`` agree with the files: the damage is not one of transport."""
    edit(folder, lambda content: content.update(digests={name: file_digest(folder / name) for name in (WEIGHTS, SOURCE, TARGET)}))


def edit_header(folder: Path, change: Callable[[Config], object]) -> None:
    raw = (folder / WEIGHTS).read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    (folder / WEIGHTS).write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])
    restate_digests(folder)


def peak_memory() -> int:
    """Most memory that this process has ever held, in bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda config: config["model"].update(width=10**9), "config.model.width: Input should be less than or equal to 65536"),
        (lambda config: config["model"].update(width=65_536, heads=1), "bias is (8,), expected (65536,)"),
        (lambda config: config.update(target_vocabulary_size=10**9), "config.target_vocabulary_size: Input should be less than"),
        (lambda config: config.update(target_vocabulary_size=2**24), "is (12, 8), expected (16777216, 8)"),
        (lambda config: config["model"].update(feedforward_width=2**18), "expected (262144, 8)"),
        (lambda config: config["model"].update(positions="learned", max_positions=2**20), "expected (1048576, 8)"),
        (lambda config: config["model"].update(tie_embeddings="all"), "model.tie_embeddings: must be 'none' or 'target' unless"),
        (lambda config: config.update(joint=True, source_vocabulary_size=11), "must be equal where joint is true, got 11 and 12"),
        (lambda config: config.update(max_source_tokens=0), "config.max_source_tokens: Input should be greater than or equal to 1"),
        (lambda config: config.update(frame_width=-1), "config.frame_width: Input should be greater than or equal to 0"),
        (
            lambda config: config.update(audio={"sample_rate": 768_000, "settings": {"window_ms": 1000.0}}),
            "config.audio: Value error, window_ms must be at most 85.3333, got 1000 at 768000 samples a second",
        ),
        (
            lambda config: config.update(audio={"sample_rate": 8000, "settings": {}}),
            "config: Value error, frame_width must be 40, as audio makes the frames, got 0",
        ),
    ],
)  # fmt: skip
def test_a_size_that_the_weights_do_not_have_is_refused_before_anything_of_it_is_allocated(
    folder: Path, change: Callable[[Config], object], field: str
) -> None:
    edit(folder, lambda content: change(content["config"]))
    before = peak_memory()
    with pytest.raises(BundleError, match=re.escape(field)) as refusal:
        load_bundle(folder)
    assert peak_memory() - before < 64 * MEGABYTE
    assert str(refusal.value).startswith(f"{folder}/")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda content: content["decoding"].update(beam_size=100_000), "decoding.beam_size must be from 1 to 200, got 100000"),
        (lambda content: content.update(trained_digest="../../x"), "trained_digest: String should match pattern"),
        (lambda content: content["digests"].update({"../model.safetensors": "0" * 64}), "digests must be of model.safetensors, "),
        (lambda content: content["digests"].pop(SOURCE), "digests must be of model.safetensors, source.model, target.model"),
        (lambda content: content["tokenizers"].pop("source"), "tokenizers must be of source, target, got target"),
        (lambda content: content["tokenizers"].update(source="bpe"), "a model of kind char, expected bpe by config.json"),
        (lambda content: content["tokenizers"].update(source="pickle"), "tokenizers.source: Input should be 'unigram', 'bpe'"),
        (lambda content: content.update(surplus=1), "surplus: Extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_a_wrong_statement_is_refused_by_the_name_of_its_field(
    folder: Path, change: Callable[[Config], object], field: str
) -> None:
    edit(folder, change)
    with pytest.raises(BundleError, match=re.escape(field)):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda header: header["output.bias"].update(dtype="F16"), "output.bias: data_offsets"),
        (lambda header: header["output.bias"].update(dtype="I64"), "output.bias: data_offsets"),
        (lambda header: header["output.bias"].update(dtype="F8"), "output.bias: expected dtype (one of F64, F32"),
        (lambda header: header["output.bias"].update(shape=[2, 6]), "output.bias is (2, 6), expected (12,)"),
        (lambda header: header["output.bias"].update(shape=[-12]), "output.bias: expected dtype"),
        (lambda header: header["output.bias"].update(shape=[2**62, 2**62]), "output.bias: data_offsets"),
        (lambda header: header["output.bias"].update(data_offsets=[0, 48]), "data_offsets"),
        (lambda header: header.pop("output.bias"), "data_offsets|its tensors take"),
        (lambda header: header.update(extra=7), "extra: expected dtype"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(folder: Path, change: Callable[[Config], object], reason: str) -> None:
    edit_header(folder, change)
    with pytest.raises(BundleError, match=reason if "|" in reason else re.escape(reason)) as refusal:
        load_bundle(folder)
    assert str(refusal.value).startswith(f"{folder}/{WEIGHTS}: ")


@pytest.mark.parametrize("length", [2**63, 10**10, 0])
def test_a_header_of_an_absurd_length_is_not_read(folder: Path, length: int) -> None:
    (folder / WEIGHTS).write_bytes(length.to_bytes(8, "little") + b"{}" * 100)
    restate_digests(folder)
    with pytest.raises(BundleError, match=r"model\.safetensors: cannot be read \(its header "):
        load_bundle(folder)


@pytest.mark.parametrize("intrusion", ["link", "link in place", "folder", "pipe", "file", "no text"])
def test_a_bundle_holds_plain_files_of_known_names_and_nothing_else(folder: Path, tmp_path: Path, intrusion: str) -> None:
    match intrusion:
        case "link":
            (folder / "more").symlink_to("/etc/passwd")
        case "link in place":
            (folder / WEIGHTS).rename(tmp_path / "elsewhere")
            (folder / WEIGHTS).symlink_to(tmp_path / "elsewhere")
        case "folder":
            (folder / "more").mkdir()
        case "pipe":
            (folder / TARGET).unlink()
            os.mkfifo(folder / TARGET)
        case "file":
            (folder / "more.py").write_text("")
        case _:
            os.close(os.open(os.fsencode(folder) + b"/more\xff", os.O_CREAT))
    reason = (
        r"more(\.py|\\xff): does not belong here; a bundle holds config\.json, model\.safetensors, source\.model, target\.model$"
    )
    if intrusion not in ("file", "no text"):
        reason = r"(more|model\.safetensors|target\.model): must be a plain file, got a "
        with pytest.raises(BundleError, match=reason):
            bundle_digest(folder)
    for read in (load_bundle, check_bundle):
        with pytest.raises(BundleError, match=reason):
            read(folder)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "huge"])
def test_a_config_that_is_no_plain_small_file_is_refused_without_waiting(folder: Path, tmp_path: Path, kind: str) -> None:
    (folder / CONFIG).rename(tmp_path / "elsewhere")
    match kind:
        case "link":
            (folder / CONFIG).symlink_to(tmp_path / "elsewhere")
        case "pipe":
            os.mkfifo(folder / CONFIG)
        case "folder":
            (folder / CONFIG).mkdir()
        case _:
            with (folder / CONFIG).open("wb") as file:
                file.truncate(1 << 40)
    with pytest.raises(BundleError, match=r"config\.json: must (be a plain file, got|have at most 4,194,304 bytes, got 1,099,511)"):
        load_bundle(folder)


@pytest.mark.parametrize("content", [b"", b"\0", b"\x80\x04N.", b"text"])
def test_an_empty_or_unreadable_tokeniser_is_refused(folder: Path, content: bytes) -> None:
    (folder / TARGET).write_bytes(content)
    restate_digests(folder)
    with pytest.raises(
        BundleError, match=r"target\.model: (empty|not a Sent|a Sent).*; expected a subword model that `s2s tokenize`"
    ):
        load_bundle(folder)


def test_a_tokeniser_of_another_size_is_refused(folder: Path) -> None:
    train_subword(["abc"], SubwordSettings(model="char")).save(folder / TARGET)
    restate_digests(folder)
    with pytest.raises(BundleError, match=r"target\.model: \d+ entries, expected 12 by config\.json$"):
        load_bundle(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_neither_saved_nor_loaded(folder: Path, tmp_path: Path, value: float) -> None:
    tokenizer = SubwordModel.load(folder / TARGET)
    config, model = make_model(tokenizer)
    with torch.no_grad():
        model.output.bias[3] = value
    expected = r"model\.safetensors: output\.bias: 1 of 12 weights are not finite numbers$"
    with pytest.raises(BundleError, match=expected):
        save_bundle(tmp_path / "b", model, config, tokenizer, tokenizer, {})
    assert not (tmp_path / "b").exists()
    raw = bytearray((folder / WEIGHTS).read_bytes())
    length = int.from_bytes(raw[:8], "little")
    begin = 8 + length + json.loads(raw[8 : 8 + length])["output.bias"]["data_offsets"][0]
    raw[begin : begin + 4] = torch.tensor([value]).numpy().tobytes()
    (folder / WEIGHTS).write_bytes(raw)
    restate_digests(folder)
    for read in (load_bundle, lambda place: export_bundle(place, tmp_path / "served", DecodingOptions())):
        with pytest.raises(BundleError, match=expected):
            read(folder)


def test_the_check_of_the_header_draws_no_random_number(folder: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    check_bundle(folder)
    assert torch.equal(torch.get_rng_state(), before)


def damage_json(value: Any, chance: random.Random) -> Any:
    """The value with one of its parts replaced, removed or added."""
    inner = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not inner or chance.random() < 0.15:
        return copy.deepcopy(chance.choice(NASTY))
    key = chance.choice(inner)
    match chance.randrange(8):
        case 0:
            del value[key]
        case 1 if isinstance(value, dict):
            value[chance.choice(("../x", "/etc/passwd", "", "model", "width"))] = copy.deepcopy(chance.choice(NASTY))
        case _:
            value[key] = damage_json(value[key], chance)
    return value


def damage_bytes(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(chance.randrange(1, 4)):
        place = chance.randrange(min(len(data), 2000))  # mostly headers
        match chance.randrange(4):
            case 0:
                data[place] ^= 1 << chance.randrange(8)
            case 1:
                del data[place : place + chance.randrange(1, 50)]
            case 2:
                data[place:place] = chance.randbytes(chance.randrange(1, 50))
            case _:
                data[place : place + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)


def damage(folder: Path, chance: random.Random) -> None:
    kind = chance.choice(("config", "config", "header", "header", WEIGHTS, SOURCE, TARGET, CONFIG))
    if kind == "config":
        content = damage_json(json.loads((folder / CONFIG).read_text()), chance)
        (folder / CONFIG).write_text(json.dumps(content))
    elif kind == "header":
        edit_header(folder, lambda header: damage_json(header, chance))
    else:
        damage_bytes(folder / kind, chance)
        if kind != CONFIG and chance.random() < 0.8:
            restate_digests(folder)


def damaged_bundles(made: Path, room: Path, count: int) -> Iterator[tuple[int, Path]]:
    for seed in range(count):
        folder = room / str(seed)
        shutil.copytree(made, folder)
        damage(folder, random.Random(seed))
        yield seed, folder
        shutil.rmtree(folder)


def outcome_of(folder: Path) -> str:
    """What a bundle's user gets: an answer, a refusal that names the place, or something that nobody expects."""
    try:
        predictor = Predictor.from_folder(folder)
        (answer,) = predictor.predict(["abc"], predictor.options.override(max_length=3))
    except BundleError as error:
        return "refused" if str(folder) in str(error) else f"a refusal without a place: {error}"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return repr(error)
    return "answered" if isinstance(answer.text, str) else repr(answer)


def test_whatever_the_damage_a_bundle_is_refused_or_answers(made: Path, tmp_path: Path) -> None:
    before = peak_memory()
    outcomes = {seed: outcome_of(folder) for seed, folder in damaged_bundles(made, tmp_path, 300)}
    assert {seed: outcome for seed, outcome in outcomes.items() if outcome not in ("refused", "answered")} == {}
    counts = Counter(outcomes.values())
    assert (counts["refused"] > 200, counts["answered"] > 3) == (True, True), counts
    assert peak_memory() - before < 128 * MEGABYTE
