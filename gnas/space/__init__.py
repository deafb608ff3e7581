"""The DAG search-space language: choices, YAML, sampling, mutation, enumeration, canonical digests, all on batches."""

from __future__ import annotations

from gnas.space.library import list_spaces, load_space
from gnas.space.protocol import Choice, Codes, Space
from gnas.space.yaml_space import YamlSpace

__all__ = ["Choice", "Codes", "Space", "YamlSpace", "list_spaces", "load_space"]
