"""All findings, and their text, ready for a bug report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from flows.diagnosis.finding import Finding
from flows.diagnosis.machine_findings import find_machine
from flows.diagnosis.package_findings import find_packages
from flows.diagnosis.server_findings import find_servers
from flows.diagnosis.workspace_findings import check_settings, find_workspace_state
from flows.dvc.remote_secrets import remember_remote_secrets
from seq2seq_core import __version__
from seq2seq_core.artifacts import Paths
from seq2seq_core.redaction.redactor import redact

MARKS = {"ok": "", "note": "note", "problem": "PROBLEM"}


def diagnose(paths: Paths) -> list[Finding]:
    """Everything that a bug report needs, without secrets.

    Args:
        paths: the workspace.
    """
    remember_remote_secrets(paths.root)
    # The settings come first: what they hold of secrets is hidden in all that follows.
    _, of_settings = check_settings(paths)
    found = [
        Finding("seq2seq-flows", __version__),
        *find_packages(paths.root),
        *find_machine(paths.root),
        *find_workspace_state(paths),
        of_settings,
        *find_servers(paths),
    ]
    return [replace(finding, text=redact(finding.text), mend=redact(finding.mend)) for finding in found]


def describe_diagnosis(findings: Sequence[Finding]) -> str:
    """The findings as text, the problems once more at the end.

    Args:
        findings: in order.
    """
    width = max(len(finding.topic) for finding in findings)
    lines = []
    for finding in findings:
        first, *rest = finding.text.splitlines() or [""]
        lines.append(f"{MARKS[finding.verdict]:8}{finding.topic:{width}}  {first}")
        lines += [f"{'':{width + 10}}{line}" for line in rest]
        lines += [f"{'':{width + 10}}→ {finding.mend}"] if finding.mend else []
    problems = sum(finding.verdict == "problem" for finding in findings)
    return "\n".join([*lines, f"{problems} problem{'s' if problems != 1 else ''}"])
