"""YAML as settings files are read: a name that is given twice is a fault, where PyYAML silently takes the last one."""

from __future__ import annotations

from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """Looks at mappings before keys are merged into them (``<<``), which may be overridden."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        first_lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            name, line = (key.tag, key.value), key.start_mark.line + 1
            if name in first_lines:
                raise yaml.YAMLError(f"line {line}: {key.value!r} must be given once, got it on line {first_lines[name]} too")
            first_lines[name] = line
        return node


def parse_yaml(text: str) -> Any:
    """The values of a YAML document.

    Args:
        text: of one document.

    Raises:
        yaml.YAMLError: it is not valid, or a mapping has a key twice, which YAML 1.2.2 (section 3.2.1.1) forbids.
    """
    return yaml.load(text, _Loader)
