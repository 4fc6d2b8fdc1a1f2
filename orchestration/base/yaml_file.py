"""Files of YAML that people write: one mapping, no key twice, errors without their text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from orchestration.base.errors import WrongUse


def read_yaml_mapping(path: Path, shape: str, remedy: str) -> dict[str, Any]:
    """The mapping in a file; empty where the file is. `shape` says what it maps, in an error.

    Raises WrongUse where it is none, stands in no YAML or cannot be read.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        reason = getattr(error, "problem", None) or "it is not UTF-8"
        # The text of the file is not shown: it may hold a secret that does not belong there.
        raise WrongUse(f"{path}{line}: {reason}.", "Correct the YAML.") from None
    except OSError as error:
        raise WrongUse(f"{path} cannot be read: {error.strerror}.", "Check its rights.") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise WrongUse(f"{path} is not a mapping from {shape}.", remedy)
    return document


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice: YAML's own reader takes the last without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key} stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)
