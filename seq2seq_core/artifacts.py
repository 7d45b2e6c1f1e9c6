"""The name and place of every input and output of the pipeline, relative to one workspace root.

Stage outputs are DVC outputs and deterministic. What is not (outcomes, training state, logs) is under ``.s2s/``, untracked.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SPLITS = ("train", "dev", "test")
MONOLINGUAL = "monolingual"
"""Prefix of the names of monolingual files; the language follows."""
PARAMS_FILE = "params.yaml"
AUDIO_FOLDER, PICTURE_FOLDER = "audio", "pictures"
SCORES_FILE = "scores.json"
LOCK_FILE, RECEIPT_FILE = "dvc.lock", "reports/registration.json"
"""What a run writes and git tracks: the receipt is no output that DVC could fetch, so a clone gets it with the lock."""


@dataclass(frozen=True)
class Paths:
    """The files and folders of one workspace.

    Args:
        root: the folder that holds ``dvc.yaml`` and ``params.yaml``.
    """

    root: Path

    @property
    def params(self) -> Path:
        """``params.yaml``."""
        return self.root / PARAMS_FILE

    # --- stage outputs (DVC) -----------------------------------------------------------------------------------------
    @property
    def validation_report(self) -> Path:
        """JSON report of ``validate``: every expectation, its severity, count and first offending lines."""
        return self.root / "reports" / "validation.json"

    @property
    def prepared(self) -> Path:
        """Folder of ``prepare``: ``{train,dev,test}.jsonl``, one JSON object per pair: ``source``, ``target``, other columns."""
        return self.root / "data" / "prepared"

    def prepared_split(self, split: str) -> Path:
        """The prepared pairs of one split."""
        return self.prepared / f"{split}.jsonl"

    def prepared_sentences(self, language: str) -> Path:
        """The prepared monolingual sentences of one language; one JSON object per sentence, with ``text``."""
        return self.prepared / f"{MONOLINGUAL}.{language}.jsonl"

    def prepared_languages(self) -> list[str]:
        """The languages that have prepared monolingual sentences, sorted."""
        return sorted(path.name.split(".")[1] for path in self.prepared.glob(f"{MONOLINGUAL}.*.jsonl"))

    @property
    def prepared_normal_form(self) -> Path:
        """The normal form of the prepared texts; a model trained on them applies it to every later input."""
        return self.prepared / "normal_form.json"

    @property
    def prepared_teacher(self) -> Path:
        """The teacher whose outputs are pairs of the prepared train, with the digest of its bundle; missing: there is none."""
        return self.prepared / "teacher.json"

    @property
    def prepared_audio(self) -> Path:
        """Folder of the recordings that the prepared pairs of an audio corpus name, under the same names."""
        return self.prepared / AUDIO_FOLDER

    @property
    def prepared_files(self) -> Path:
        """Folder of the files that the sources of prepared pairs name: of pictures where there are some, else of recordings."""
        pictures = self.prepared / PICTURE_FOLDER
        return pictures if pictures.is_dir() else self.prepared_audio

    @property
    def prepare_report(self) -> Path:
        """Metrics of ``prepare``: rows in, dropped by each rule, rows out, for each split."""
        return self.root / "reports" / "prepare.json"

    @property
    def dropped_rows(self) -> Path:
        """Samples of the rows that ``prepare`` dropped or changed, with file and line, one JSON object each."""
        return self.root / "reports" / "dropped.jsonl"

    @property
    def tokenized(self) -> Path:
        """Folder of ``tokenize``: subword models, memory-mapped ids, ``manifest.json``."""
        return self.root / "data" / "tokenized"

    @property
    def tokenize_report(self) -> Path:
        """Metrics of ``tokenize``: vocabulary sizes, tokens a sentence, unknown rates."""
        return self.root / "reports" / "tokenize.json"

    @property
    def corpus_profile(self) -> Path:
        """The profile of train by ``tokenize``, which is kept with the registered version for later comparisons."""
        return self.root / "reports" / "corpus_profile.json"

    @property
    def bundle(self) -> Path:
        """Folder of ``train``: the self-describing model bundle."""
        return self.root / "models" / "bundle"

    @property
    def served(self) -> Path:
        """Folder of ``export``: the bundle that is evaluated, registered and served, with its decoding options."""
        return self.root / "models" / "served"

    @property
    def train_report(self) -> Path:
        """Metrics of ``train``: steps, best dev loss and dev score (deterministic values only)."""
        return self.root / "reports" / "train.json"

    @property
    def training_curve(self) -> Path:
        """CSV of ``train``: step, train_loss, dev_loss, learning_rate, gradient_norm, dev_score; with phases also phase."""
        return self.root / "reports" / "training_curve.csv"

    @property
    def metrics(self) -> Path:
        """Metrics of ``evaluate``: ``test.<metric>``, the score of the configured search on the metric's own scale, and counts."""
        return self.root / "reports" / "metrics.json"

    @property
    def evaluation(self) -> Path:
        """Folder of ``evaluate``: ``scores.json`` (every figure), ``predictions.jsonl``, ``worst.csv``, ``slices.csv``."""
        return self.root / "reports" / "evaluation"

    @property
    def evaluation_scores(self) -> Path:
        """Every figure of ``evaluate``: the model's, the baselines', the slices'."""
        return self.evaluation / SCORES_FILE

    @property
    def receipt(self) -> Path:
        """Receipt of ``register`` (``cache: false``, in git): registry, model name, version, bundle digest, decision."""
        return self.root / RECEIPT_FILE

    @property
    def run_report(self) -> Path:
        """The report of the last run, one HTML page: no output of a stage, so that nothing depends on it."""
        return self.root / "reports" / "run.html"

    @property
    def code_digests(self) -> Path:
        """Folder of ``s2s code-digests``: ``<stage>.json``, the settings and code that each stage's outputs depend on."""
        return self.root / "reports" / "code"

    # --- the untracked work folder -----------------------------------------------------------------------------------
    @property
    def work(self) -> Path:
        """``.s2s``: outcomes, training state, logs, Data Docs, embedded databases' locks."""
        return self.root / ".s2s"

    @property
    def promotion(self) -> Path:
        """The last move of the alias ``champion`` by this workspace: the run that made it, and the version."""
        return self.work / "promotion.json"

    @property
    def drift(self) -> Path:
        """The last comparison of a version's corpus with the champion's, for the pages of the run that made it."""
        return self.work / "drift.json"

    @property
    def outcomes(self) -> Path:
        """Folder with ``<stage>.json``, how each stage's last execution ended."""
        return self.work / "outcomes"

    @property
    def executions(self) -> Path:
        """Folder with ``<stage>.json``: why the last success of each stage ran, and what it cost."""
        return self.work / "executions"

    @property
    def preflight(self) -> Path:
        """Folder of the last forecast, what came of it, and the sample of ``s2s preflight`` while it runs."""
        return self.work / "preflight"

    @property
    def kept_code(self) -> Path:
        """Folder of the code that stages ran with, by digest, for later reasons; may be deleted at any time."""
        return self.work / "code"

    @property
    def kept_inputs(self) -> Path:
        """Folder of digests of files and rows that stages read, for later reasons; may be deleted at any time."""
        return self.work / "inputs"

    @property
    def training_state(self) -> Path:
        """Folder of training states, one subfolder per hash of configuration and data."""
        return self.work / "train"

    @property
    def ablation(self) -> Path:
        """Folder of ``s2s ablate``: a workspace for each variant of the settings, named by what it depends on."""
        return self.work / "ablation"

    @property
    def learning_curves(self) -> Path:
        """Folder of ``s2s learning-curve``: one subfolder per hash of configuration and data, in it one per size of train."""
        return self.work / "learning_curve"

    @property
    def sweeps(self) -> Path:
        """Folder of ``s2s sweep``: one subfolder per sweep."""
        return self.work / "sweeps"

    @property
    def fetched_bundles(self) -> Path:
        """Folder of bundles fetched from MLflow, one subfolder per digest."""
        return self.work / "bundles"

    @property
    def distillation(self) -> Path:
        """Folder of a teacher's decoding of train: the sources, and the shards that are finished."""
        return self.work / "distill"

    @property
    def outputs(self) -> Path:
        """Folder of hypotheses of registered versions for the test set, one file per digest of what they depend on."""
        return self.work / "outputs"

    @property
    def imports(self) -> Path:
        """Folder of ``s2s import``: a subfolder per corpus, with what was fetched of it, until the corpus is whole."""
        return self.work / "imports"

    @property
    def rows(self) -> Path:
        """Folder of the database in which ``validate`` and ``prepare`` work on the corpus's rows; empty while neither does."""
        return self.work / "rows"

    @property
    def cluster(self) -> Path:
        """Folder of the parts that the workers of ``runtime.dask_address`` make; what a killed run has left, the next one uses."""
        return self.work / "cluster"

    @property
    def kept_rows(self) -> Path:
        """Folder of the databases that ``validate`` and ``prepare`` go on from, one each; may be deleted at any time."""
        return self.work / "kept_rows"

    @property
    def encoded_blocks(self) -> Path:
        """Folder of blocks that ``tokenize`` has encoded with a kept vocabulary, for its next run; may be deleted at any time."""
        return self.work / "encoded"

    @property
    def scored_blocks(self) -> Path:
        """Folder of the scores of ``prepare.score_filter``, for its next run; may be deleted at any time."""
        return self.work / "scored"

    @property
    def last_validation(self) -> Path:
        """The report of the last ``validate``, also of one that failed, which has no outputs; missing: it did not come to it."""
        return self.work / "validation.json"

    @property
    def stopped_prepare(self) -> Path:
        """Folder of the funnel and the samples of a ``prepare`` that lost too many rows; the next one removes it."""
        return self.work / "stopped_prepare"

    @property
    def data_docs(self) -> Path:
        """Folder of Great Expectations' Data Docs; ``index.html`` inside."""
        return self.work / "data_docs"

    @property
    def openlineage(self) -> Path:
        """OpenLineage's latest events of executions of stages, a JSON object a line; older ones are beside it."""
        return self.work / "openlineage.jsonl"

    @property
    def logs(self) -> Path:
        """Folder of log files of servers and stages."""
        return self.work / "logs"

    @property
    def mlflow_outbox(self) -> Path:
        """Folder of records and file copies that wait to be sent to MLflow, one subfolder per process and run."""
        return self.work / "mlflow_outbox"

    @property
    def mlflow_database(self) -> Path:
        """The default SQLite database of MLflow."""
        return self.root / "mlflow.db"

    @property
    def mlflow_artifacts(self) -> Path:
        """The default artifact store of MLflow."""
        return self.root / "mlartifacts"


def find_workspace(start: Path) -> Paths | None:
    """The nearest folder at or above ``start`` that holds ``dvc.yaml``, or None."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / "dvc.yaml").is_file():
            return Paths(folder)
    return None
