"""Makes the stored bundles of this folder and what they must predict: `python tests/golden/make_bundle.py`.

To be run only when the bundle's format version changes; the bundles of older versions stay, and must still load. Each model learns
to reverse short words of five letters.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import torch
from torch.nn import functional

import seq2seq_core
from seq2seq_core.batching.batch import collate
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.bundle.bundle import save_bundle
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.config_file import FORMAT_VERSION, BundleConfig
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.tokenization.encode import PairChunk, Tokenizers, encode_split
from seq2seq_core.tokenization.special_tokens import PAD_ID
from seq2seq_core.tokenization.subword import train_subword

FOLDER = Path(__file__).parent
ARCHITECTURES = {
    "gru": ModelSection(architecture="gru", width=32, dropout=0.0),
    "transformer": ModelSection(architecture="transformer", width=32, heads=2, feedforward_width=48, dropout=0.0),
}
OPTIONS = {"greedy": DecodingOptions(beam_size=1), "beam": DecodingOptions(beam_size=4, num_hypotheses=2)}
STEPS, BATCH_SENTENCES, LEARNING_RATE = 2000, 64, 0.004


def make_pairs(seed: int, count: int) -> list[tuple[str, str]]:
    """Words and, symbol by symbol, their reversal."""
    chance = random.Random(seed)
    words = ["".join(chance.choices("abcdé", k=chance.randrange(1, 7))) for _ in range(count)]
    return [(word, " ".join(reversed(word.upper()))) for word in words]


def fit(model: Seq2Seq, dataset: TokenizedDataset) -> None:
    """Trains in the plainest way, so that nothing here depends on the trainer."""
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    chance = random.Random(1)
    for step in range(STEPS):
        batch = collate(dataset, chance.sample(range(len(dataset)), BATCH_SENTENCES))
        logits_BTV = model(batch.source, batch.target_in_BT)
        loss = functional.cross_entropy(logits_BTV.flatten(0, 1), batch.target_out_BT.flatten(), ignore_index=PAD_ID)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, (step + 1) / 100, (STEPS - step) / (STEPS / 2))
        optimizer.step()


def make_bundle(name: str, settings: ModelSection, work: Path) -> None:
    """Writes one bundle and its expected predictions."""
    pairs = make_pairs(0, 3000)
    source_model = train_subword([source for source, _ in pairs], SubwordSettings(model="char"))
    target_model = train_subword([target for _, target in pairs], SubwordSettings(model="symbols"))
    chunk = PairChunk([source for source, _ in pairs], [target for _, target in pairs])
    encode_split([chunk], Tokenizers(source_model, target_model), work, "train")
    sizes = (source_model.vocabulary_size, target_model.vocabulary_size)
    torch.manual_seed(1)
    model = build_model(settings, *sizes, joint=False)
    fit(model, TokenizedDataset.open(work, "train"))
    folder = FOLDER / f"{name}_v{FORMAT_VERSION}"
    config = BundleConfig(model=settings, source_vocabulary_size=sizes[0], target_vocabulary_size=sizes[1], joint=False)
    save_bundle(folder / "bundle", model, config, source_model, target_model, {})
    predictor = Predictor.from_folder(folder / "bundle")
    tests = [*make_pairs(2, 30), ("abx", "? ? ?"), ("", "")]
    sources = [source for source, _ in tests]
    expected = {
        "made_by": seq2seq_core.__version__,
        "digest": bundle_digest(folder / "bundle"),
        "sources": sources,
        "references": [target for _, target in tests],
        "predictions": {
            search: [
                [{"text": hypothesis.text, "score": round(hypothesis.score, 4)} for hypothesis in prediction.hypotheses]
                for prediction in predictor.predict(sources, options)
            ]
            for search, options in OPTIONS.items()
        },
    }
    (folder / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    import tempfile

    torch.set_num_threads(1)
    for name, settings in ARCHITECTURES.items():
        with tempfile.TemporaryDirectory() as work:
            make_bundle(name, settings, Path(work))
