# %% [markdown]
# # Train and predict in Python
#
# The stages of the pipeline are functions: declared inputs in, declared outputs out. This notebook runs them on a small corpus
# (numbers in words, and in digits), trains two models of different widths, and predicts with the wider one. It takes seconds.
#
# For a real corpus use the commands instead: `s2s configure` and `s2s retrain` run the same functions, keep what is up to date,
# and register the model.
#
# The file is a notebook in the percent format: VS Code and PyCharm show its cells, Jupyter opens it through jupytext, and
# `python examples/train_and_predict.py` runs it.

# %%
import os
import sys
from pathlib import Path

sys.path.insert(0, "examples")

from number_words import write_corpus

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.settings import Settings, load_settings
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.evaluate import run_evaluate
from seq2seq_core.stages.export import run_export
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train
from seq2seq_core.tracking.session import open_stage_recorder

# %% [markdown]
# A workspace is a folder with `params.yaml`. All outputs of the stages have their places in it (`Paths`).

# %%
WORKSPACE = Path(os.environ.get("S2S_EXAMPLE_WORKSPACE", "number_words_workspace"))
paths = Paths(WORKSPACE)
write_corpus(WORKSPACE / "data" / "raw" / "numbers", num_pairs=700, largest=999)

PARAMS = """
corpus:
  path: data/raw/numbers
  files: {train: [train.tsv], dev: [dev.tsv], test: [test.tsv]}
  header: true
tokenize:
  source: {model: bpe, vocabulary_size: 40}
  target: {model: char, vocabulary_size: 20}
model: {architecture: gru, attention: additive, encoder_layers: 1, width: WIDTH, dropout: 0.1}
train:
  max_steps: 90
  batch_tokens: 1000
  learning_rate: 0.01
  warmup_steps: 10
  validate_every_steps: 30
  dev_metric: exact_match
evaluate: {beam_size: 1, metrics: [exact_match, cer]}
register: {model_name: numbers, metric: exact_match}
runtime: {device: cpu, progress: plain}
"""


def settings_of(width: int) -> Settings:
    """The settings with a width of the model, as params.yaml of the workspace."""
    paths.params.write_text(PARAMS.replace("WIDTH", str(width)), encoding="utf-8")
    return load_settings(paths.params)


# %% [markdown]
# `prepare` cleans and deduplicates, `tokenize` learns the subwords and turns texts into ids. Both say what they did.

# %%
settings = settings_of(width=32)
prepared = run_prepare(settings, paths, NullRecorder())
tokenized = run_tokenize(settings, paths, NullRecorder())
print({split: paths.prepared_split(split).read_text(encoding="utf-8").count("\n") for split in ("train", "dev", "test")})

# %% [markdown]
# `train` fits the model to train, and measures it on dev. The recorder writes settings and curves to MLflow (`mlflow.db` in the
# workspace, or the server that `MLFLOW_TRACKING_URI` names); `NullRecorder()` records nothing. The wider model comes last, so it
# is the one in `models/bundle`.

# %%
dev = {}
for width in (32, 64):
    settings = settings_of(width)
    with open_stage_recorder("train", settings, paths) as recorder:
        dev[width] = run_train(settings, paths, recorder).best_dev_score
    print(f"width {width}: exact match on dev {dev[width]:.3f}")

# %% [markdown]
# `export` adds the options of decoding, and `evaluate` decodes the test set, whose numbers training has not shown.

# %%
run_export(settings, paths, NullRecorder())
test = run_evaluate(settings, paths, NullRecorder()).test
print(f"test: exact match {test['exact_match']:.3f}, character error rate {test['cer']:.3f}")

# %% [markdown]
# The folder `models/served` is all that prediction needs. (A registered model is loaded by its name instead:
# `seq2seq_core.load("models:/numbers@champion")`.)

# %%
predictor = Predictor.from_folder(paths.served)
answers = predictor.predict(["nine hundred and twelve", "six", "seventy-seven"])
print([answer.text for answer in answers])

# %% [markdown]
# Options of the search are those of `s2s predict`. Here: the three best hypotheses with their scores.

# %%
best = predictor.predict("three hundred and five", DecodingOptions(beam_size=4, num_hypotheses=3))
for hypothesis in best.hypotheses:
    print(f"{hypothesis.score:7.2f}  {hypothesis.text}")
