"""Neither a locked version nor a floor of pyproject.toml has a fault of the stored list of advisories."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
ADVISORIES = yaml.safe_load((ROOT / "requirements.advisories.yaml").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ASKED = [Requirement(one) for each in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()) for one in each]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8").split()
LOCKED = {canonicalize_name(name): Version(version) for name, _, version in (line.partition("==") for line in LOCK)}


@pytest.mark.parametrize("advisory", ADVISORIES, ids=lambda one: f"{one['package']}-{one['fixed']}")
def test_no_locked_version_and_no_floor_has_a_known_fault(advisory: dict[str, object]) -> None:
    name, fixed = canonicalize_name(str(advisory["package"])), Version(str(advisory["fixed"]))
    assert LOCKED[name] >= fixed, advisory
    for asked in (one for one in ASKED if canonicalize_name(one.name) == name):
        floors = [Version(one.version) for one in asked.specifier if one.operator in (">=", "==", "~=")]
        assert floors, f"{asked} has no floor: {advisory}"
        assert max(floors) >= fixed, f"{asked}: {advisory}"
