"""Why a stage runs: what differs between ``dvc.lock``, which has its last success, and the workspace.

One mechanism for all: before a run (``s2s why``), in the flow's report, and in the run of a stage in MLflow.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seq2seq_core.artifacts import PARAMS_FILE, Paths
from seq2seq_core.config.settings import load_values
from seq2seq_core.dvc_files import read_lock
from seq2seq_core.errors import ConfigError
from seq2seq_core.stage_history.code_changes import explain_digests
from seq2seq_core.stage_history.input_changes import explain_input, explain_output
from seq2seq_core.stage_history.input_listing import FileStates
from seq2seq_core.stage_history.kept_code import find_digests, md5_of
from seq2seq_core.stage_history.setting_changes import SettingChange, compare_settings
from seq2seq_core.stage_history.stage_reason import NEVER_RUN, StageReason

CODE_FOLDER = "reports/code/"


@dataclass(frozen=True)
class LastSuccesses:
    """What the stages of a workspace ran with, and what they would run with now.

    Attributes:
        paths: the workspace.
        home: the workspace that keeps the records: another one in a DVC experiment.
        lock: the stages in ``dvc.lock``.
        params: the present settings, unchecked.
        read_digests: gives the content of ``reports/code/<stage>.json`` as it would be now; None: there is none.
        states: digests of files.
    """

    paths: Paths
    home: Paths
    lock: Mapping[str, Any]
    params: Mapping[str, Any]
    read_digests: Callable[[str], str | None]
    states: FileStates = field(compare=False)

    @classmethod
    def read(
        cls,
        paths: Paths,
        home: Paths | None = None,
        params: Mapping[str, Any] | None = None,
        read_digests: Callable[[str], str | None] | None = None,
    ) -> LastSuccesses:
        """The state of a workspace.

        Args:
            paths: the workspace.
            home: keeps the records; None: the workspace itself.
            params: other settings than those of ``params.yaml``; None: those.
            read_digests: gives the digests of a stage's code; None: as they lie in ``reports/code``.
        """
        home = home or paths
        values = _read_params(paths.params) if params is None else params
        return cls(paths, home, read_lock(paths.root), values, read_digests or _reader(paths), FileStates(home))

    def explain(self, stage: str) -> list[StageReason]:
        """Why a stage would run, as far as its inputs, settings and code tell; outputs are not looked at.

        Args:
            stage: its name in ``dvc.lock``.
        """
        entry = self.lock.get(stage)
        if not isinstance(entry, dict):
            return [NEVER_RUN]
        inputs = [reason for name in self._dependencies(entry) for reason in self.explain_dependency(stage, name)]
        return [*self.explain_settings_and_code(stage), *inputs]

    def explain_settings_and_code(self, stage: str) -> list[StageReason]:
        """The changed settings and the changed code of a stage.

        Args:
            stage: its name in ``dvc.lock``, which has it.
        """
        entry = self.lock[stage]
        changes = self._setting_changes(entry)
        return [*(change.reason() for change in changes), *self._code(entry, changes)]

    def explain_dependency(self, stage: str, name: str) -> list[StageReason]:
        """What differs in an input of a stage.

        Args:
            stage: its name in ``dvc.lock``, which has it.
            name: of the input there.
        """
        before = self._dependencies(self.lock[stage]).get(name)
        if before is None:
            return [StageReason("file", f"{name} is a new input")]
        made = self._outputs().get(name)
        if made is not None:
            return explain_output(name, before, made, self.paths)
        return explain_input(name, before, self.paths, self.home, self.states)

    def is_made(self, name: str) -> bool:
        """Whether a stage makes a file or folder."""
        return name in self._outputs()

    def is_raw_input(self, stage: str, name: str) -> bool:
        """Whether a stage has read an input that no stage makes.

        Args:
            stage: its name in ``dvc.lock``, which has it.
            name: of the input.
        """
        return name in self._dependencies(self.lock[stage]) and not self.is_made(name)

    def _setting_changes(self, entry: Mapping[str, Any]) -> list[SettingChange]:
        before = entry.get("params", {}).get(PARAMS_FILE, {})
        return compare_settings(before, self.params, [*before])

    def _code(self, entry: Mapping[str, Any], told: Collection[SettingChange]) -> list[StageReason]:
        for name, md5 in _digests(entry, "deps").items():
            if name.startswith(CODE_FOLDER):
                content = self.read_digests(Path(name).stem)
                if content is not None and md5_of(content) != md5:
                    return explain_digests(find_digests(md5, self.home), json.loads(content), [*told], self.home)
        return []

    def _dependencies(self, entry: Mapping[str, Any]) -> dict[str, str]:
        return {name: md5 for name, md5 in _digests(entry, "deps").items() if not name.startswith(CODE_FOLDER)}

    def _outputs(self) -> dict[str, str]:
        return {
            name: md5 for entry in self.lock.values() if isinstance(entry, dict) for name, md5 in _digests(entry, "outs").items()
        }


def _digests(entry: Mapping[str, Any], kind: str) -> dict[str, str]:
    """DVC's digest of each input or output of a stage, by its name."""
    return {str(one["path"]): str(one.get("md5", "")) for one in entry.get(kind) or () if isinstance(one, dict) and "path" in one}


def _read_params(file: Path) -> Mapping[str, Any]:
    try:
        content = load_values(file)
    except ConfigError:
        return {}
    return content if isinstance(content, dict) else {}


def _reader(paths: Paths) -> Callable[[str], str | None]:
    def read(stage: str) -> str | None:
        try:
            return (paths.code_digests / f"{stage}.json").read_text(encoding="utf-8")
        except OSError:
            return None

    return read
