"""What an edit of the code costs: the stages that reach what it changes, and no other, through both doors."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipeline.conftest import Workspace, executed_stages

pytestmark = pytest.mark.slow

DIGESTS = "code"
"""The stage that makes digests of the code: about a second, and the only one that any edit runs."""


def _append(text: str) -> Callable[[Path], None]:
    def edit(file: Path) -> None:
        file.write_text(f"{file.read_text(encoding='utf-8')}{text}", encoding="utf-8")

    return edit


def _replace(old: str, new: str) -> Callable[[Path], None]:
    def edit(file: Path) -> None:
        text = file.read_text(encoding="utf-8")
        assert old in text, f"{file}: no {old!r}"
        file.write_text(text.replace(old, new, 1), encoding="utf-8")

    return edit


def _reformat(file: Path) -> None:
    """Another layout of everything, and no comment left."""
    file.write_text(ast.unparse(ast.parse(file.read_text(encoding="utf-8"))) + "\n", encoding="utf-8")


def _create(text: str) -> Callable[[Path], None]:
    def edit(file: Path) -> None:
        assert not file.exists()
        file.write_text(text, encoding="utf-8")

    return edit


NEW_METRIC = '''"""Whether the first letters agree."""

from __future__ import annotations

from collections.abc import Sequence

from seq2seq_core.evaluation.metric import Metric, ScoringOptions


def _compute(hypotheses: Sequence[str], references: Sequence[str], options: ScoringOptions) -> float:
    return sum(one[:1] == other[:1] for one, other in zip(hypotheses, references, strict=True)) / len(references)


METRIC = Metric("first_letter", higher_is_better=True, scale=1.0, high=1.0, compute=_compute)
'''
NEW_RULE = '''"""Drops a text that shouts."""

from __future__ import annotations

from seq2seq_core.config.prepare import PrepareSection
from seq2seq_core.corpus.cleaning_rule import TextRule


def _is_broken(text: str, section: PrepareSection) -> bool:
    return text.isupper()


RULE = TextRule("drop_shouts", _is_broken)
'''


def _add_rule(section: Path) -> None:
    """A rule in a file of its own, and its switch among the settings, off by default."""
    _create(NEW_RULE)(section.parent.parent / "corpus" / "cleaning_rules" / "drop_shouts.py")
    switch = '    drop_shouts: bool = False\n    """Whether a pair with a side in capitals is dropped."""\n'
    _replace("    deduplicate: ", switch + "    deduplicate: ")(section)


CODE = _append("\n\ndef _edited() -> int:\n    return 1\n")
NEUTRAL: dict[str, tuple[str, Callable[[Path], None]]] = {
    "a comment": ("decoding/greedy.py", _append("# Another comment.\n")),
    "a comment in the trainer": ("training/trainer.py", _append("# Another comment.\n")),
    "a docstring": ("training/updates/updater.py", _replace('"""', '"""Edited: ')),
    "a reformat": ("training/trainer.py", _reformat),
    "an annotation": ("corpus/splitting.py", _replace(") -> ", ") -> object | ")),
    "code of sampling": ("decoding/sampling.py", CODE),
    "code of minimum Bayes risk": ("decoding/minimum_bayes_risk.py", CODE),
    "code of audio": ("audio/mel.py", CODE),
    "code of an objective that no phase names": ("training/objectives/reinforcement.py", CODE),
    "code of a schedule that no phase names": ("training/updates/schedules/linear.py", CODE),
    "code of the Transformer": ("modeling/encoders/transformer_encoder.py", CODE),
    "code of an attention that the model has not": ("modeling/attention/dot.py", CODE),
    "a metric that no setting names": ("evaluation/metrics/first_letter.py", _create(NEW_METRIC)),
    "a cleaning rule that is off": ("config/prepare.py", _add_rule),
    "code of the sample corpus": ("corpus/samples/sample_dates.py", CODE),
}
SPLITTING = "corpus/splitting.py"
"""Changed code of this module runs one stage, which is quick and leaves the same outputs."""
EFFECTIVE: dict[str, tuple[str, set[str]]] = {
    "code of beam search": ("decoding/beam_search.py", {"evaluate", "export", "register"}),
    "code of the schedule": ("training/updates/schedules/cosine.py", {"train"}),
}
"""Modules whose changed code DVC has to find, and the stages that it has to find changed by it, and no others."""


@pytest.mark.proof
def test_an_edit_runs_only_the_stages_that_reach_it_through_both_doors(
    reproduced_workspace: Workspace, prefect_api: str, tmp_path: Path
) -> None:
    workspace = reproduced_workspace
    package = workspace.root / "seq2seq_core"
    before = _read_digests(workspace)
    for file, edit in NEUTRAL.values():
        edit(package / file)
    assert executed_stages(workspace.must("dvc", "repro")) == [DIGESTS]
    assert _read_digests(workspace) == before
    assert "up to date" in workspace.must("dvc", "status")
    CODE(package / SPLITTING)
    assert executed_stages(workspace.must("dvc", "repro")) == [DIGESTS, "prepare"]
    for name, (file, concerned) in EFFECTIVE.items():
        text = (package / file).read_text(encoding="utf-8")
        CODE(package / file)
        workspace.must("s2s", "code-digests")
        assert _changed_stages(workspace) == {DIGESTS, *concerned}, name
        (package / file).write_text(text, encoding="utf-8")

    package = _install_elsewhere(workspace, tmp_path / "installed")
    assert executed_stages(workspace.must("dvc", "repro")) == [DIGESTS]
    assert "up to date" in workspace.must("dvc", "status")
    for file in sorted({file for file, _ in NEUTRAL.values()}):
        _append("# Once more.\n")(package / file)
    CODE(package / SPLITTING)
    workspace.environment["PREFECT_API_URL"] = prefect_api
    by_flow = workspace.call("retrain")
    assert by_flow.exit_code == 0, by_flow.output
    assert executed_stages(by_flow.output) == ["prepare"]  # the flow makes the digests before it names stages


def _read_digests(workspace: Workspace) -> dict[str, str]:
    """The digests of the code that each stage reaches."""
    return {file.name: file.read_text(encoding="utf-8") for file in (workspace.root / "reports" / "code").iterdir()}


def _changed_stages(workspace: Workspace) -> set[str]:
    """The stages that DVC finds changed, without those that only read from them."""
    return set(re.findall(r"^(\w+):$", workspace.must("dvc", "status"), flags=re.MULTILINE))


def _install_elsewhere(workspace: Workspace, folder: Path) -> Path:
    """Takes the code out of a workspace, as where the package is installed by pip; returns the package's new folder."""
    folder.mkdir()
    for name in ("seq2seq_core", "flows"):
        (workspace.root / name).rename(folder / name)
    workspace.environment["PYTHONPATH"] = str(folder)
    (workspace.root / "requirements.txt").write_text("seq2seq-flows==0.4.0\n", encoding="utf-8")
    graph = workspace.root / "dvc.yaml"
    text = graph.read_text(encoding="utf-8")
    assert text.count("\n    - seq2seq_core\n") == 1
    graph.write_text(text.replace("\n    - seq2seq_core\n", "\n    - requirements.txt\n"), encoding="utf-8")
    return folder / "seq2seq_core"
