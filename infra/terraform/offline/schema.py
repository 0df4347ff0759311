"""The schemas of a provider's resources: names, types, nesting, required arguments. Stored in google-schema.json."""

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from infra.build.stage import ROOT

SCHEMA = ROOT / "infra/terraform/offline/google-schema.json"

Type = str | tuple[Literal["list", "set", "map"], str]
"""A type in Terraform's own JSON form: ``"string"``, or ``["map", "string"]``."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Attribute(_Model):
    """An argument or a computed value. ``one_of`` has the documented values of a text, if there are any."""

    type: Type
    required: bool = False
    optional: bool = False
    computed: bool = False
    one_of: tuple[str, ...] = ()


class Nesting(StrEnum):
    """The ways in which a block may repeat."""

    SINGLE = "single"
    LIST = "list"
    SET = "set"


class Block(_Model):
    """Attributes and nested blocks."""

    attributes: Mapping[str, Attribute]
    blocks: "Mapping[str, NestedBlock]" = Field(default_factory=dict)


class NestedBlock(_Model):
    """A nested block; ``max_items`` of 0 means no limit."""

    nesting: Nesting
    block: Block
    min_items: Annotated[int, Field(ge=0, le=1)] = 0
    max_items: Annotated[int, Field(ge=0, le=1)] = 0


class ProviderSchema(_Model):
    """The schemas of a provider and of some of its resources. ``version`` is the provider's version."""

    version: str
    provider: Block
    resources: Mapping[str, Block]
    data_sources: Mapping[str, Block]

    @classmethod
    def load(cls, file: Path = SCHEMA) -> Self:
        return cls.model_validate_json(file.read_text())

    def dump(self) -> str:
        """JSON with one resource per line, so that a diff shows the changed resources."""
        plain = self.model_dump(mode="json", exclude_defaults=True)
        lines = [f'"version": {json.dumps(self.version)}', f'"provider": {_compact(plain["provider"])}']
        for part in ("resources", "data_sources"):
            each = ",\n".join(f'"{name}": {_compact(block)}' for name, block in sorted(plain[part].items()))
            lines.append(f'"{part}": {{\n{each}\n}}')
        return "{\n" + ",\n".join(lines) + "\n}\n"


def _compact(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
