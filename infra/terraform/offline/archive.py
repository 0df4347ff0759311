"""Read the provider's schema from the generated bindings of another language.

The bindings are an archive of JavaScript in a Python wheel. The code is read, not run. For each argument it shows:

- in a comment: whether the argument is computed, optional or required
- in the code that writes Terraform's language: its type and nesting
- in the declarations: the documented values of a text
"""

import io
import re
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.terraform.offline.schema import Attribute, Block, NestedBlock, Nesting, ProviderSchema, Type

_CLASS = re.compile(r"^class (\w+) extends cdktn\.(\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_PROPERTY = re.compile(
    r"^ {4}// (\w+) - computed: (true|false), optional: (true|false), required: (true|false)\n(.*?)(?=^ {4}// )",
    re.MULTILINE | re.DOTALL,
)
_MADE_OF = re.compile(r"new (\w+?)(OutputReference|List)\(this, \"\w+\"(?:, (?:true|false))?\)")
_WRITER = re.compile(r"^function (\w+)ToHclTerraform\(struct\) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_WRITTEN = re.compile(
    r"^\s+(\w+): \{\n\s+value: [^\n]*\n\s+isBlock: (true|false),\n\s+type: \"(\w+)\",\n\s+storageClassType: \"(\w+)\"",
    re.MULTILINE,
)
_GETTER = re.compile(r"this\.(get\w+Attribute)\(|new cdktn\.(\w+Map)\(")
_INTERFACE = re.compile(r"^export interface (\w+)[^{\n]*\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_DOCUMENTED = re.compile(r"/\*\*((?:(?!\*/).)*)\*/\s+readonly \w+\??:", re.DOTALL)
_VALUES = re.compile(r"Possible values: \[([^\]]*)\]")
_NAME_IN_LINK = re.compile(r"#(\w+) \w+#\w+\}")
_VERSION = re.compile(r"providerVersion: '([\d.]+)'")

_SIMPLE = {"string": "string", "number": "number", "boolean": "bool"}
_READ_AS: Mapping[str, Type] = {
    "getStringAttribute": "string",
    "getNumberAttribute": "number",
    "getBooleanAttribute": "bool",
    "getListAttribute": ("list", "string"),
    "StringMap": ("map", "string"),
    "NumberMap": ("map", "number"),
    "BooleanMap": ("map", "bool"),
}
_STORED_AS = re.compile(r"(string|number|boolean)(List|Map)?")
_ANYTHING: Type = "dynamic"
"""Computed values that have fields of their own, which are not needed here."""

_ENDPOINTS = "_custom_endpoint"
"""The provider's hundred arguments for the addresses of Google's services, which this project does not set."""


class ArchiveError(Exception):
    """The archive is not as expected, or lacks a resource. Nothing was written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Written:
    """How an argument is written in Terraform's language."""

    is_block: bool
    kind: str
    stored_as: str


class _Bindings:
    """The generated code of one resource."""

    def __init__(self, code: str, declarations: str) -> None:
        self.version = found[1] if (found := _VERSION.search(code)) else ""
        self._classes = {name: (parent, body) for name, parent, body in _CLASS.findall(code)}
        self._writers = {name.lower(): body for name, body in _WRITER.findall(code)}
        self._values = dict(_documented_values(declarations))

    def block(self, parent: str) -> Block:
        """The block of the only class that extends this class of the library."""
        for name, (extends, body) in self._classes.items():
            if extends == parent:
                return self._block(body, written=body, interface=f"{name}Config")
        message = f"the bindings have no class that extends {parent}"
        raise ArchiveError(message)

    def _block(self, body: str, *, written: str, interface: str) -> Block:
        attributes: dict[str, Attribute] = {}
        blocks: dict[str, NestedBlock] = {}
        how = dict(_written(written))
        for name, computed, optional, required, code in _PROPERTY.findall(f"{body}    // "):
            if name in how and how[name].is_block:
                if (made_of := _MADE_OF.search(code)) is not None:
                    blocks[name] = self._nested(made_of, how[name], is_required=required == "true")
            else:
                attributes[name] = Attribute(
                    type=_type(how[name]) if name in how else _type_read(code),
                    computed=computed == "true",
                    optional=optional == "true",
                    required=required == "true",
                    one_of=self._values.get((interface, name), ()),
                )
        return Block(attributes=attributes, blocks=blocks)

    def _nested(self, made_of: re.Match[str], how: _Written, *, is_required: bool) -> NestedBlock:
        struct, is_one = made_of[1], made_of[2] == "OutputReference"
        _, body = self._classes[f"{struct}OutputReference"]
        block = self._block(body, written=self._writers[struct.lower()], interface=struct)
        if how.kind == "struct":
            return NestedBlock(nesting=Nesting.SINGLE, block=block)
        return NestedBlock(nesting=Nesting(how.kind), block=block, min_items=int(is_required), max_items=int(is_one))


def read_archive(wheel: Path, *, resources: set[str], data_sources: set[str]) -> ProviderSchema:
    """Read the schemas of these resources.

    Raises:
        ArchiveError: the provider has no such resource, or the archive is not as expected.
    """
    wanted = {
        "provider": "provider",
        **{name: name.removeprefix("google_").replace("_", "-") for name in resources},
        **{f"data.{name}": "data-" + name.replace("_", "-") for name in data_sources},
    }
    files = dict(_files(wheel, set(wanted.values())))
    if missing := sorted(name for name, folder in wanted.items() if f"{folder}/index.js" not in files):
        message = f"the provider has no {', '.join(missing)}"
        raise ArchiveError(message)
    read = {name: _Bindings(files[f"{at}/index.js"], files[f"{at}/index.d.ts"]) for name, at in wanted.items()}
    provider = read["provider"].block("TerraformProvider")
    # The provider's own blocks are written in another way, and this project sets none.
    few = {name: each for name, each in provider.attributes.items() if not name.endswith(_ENDPOINTS)}
    return ProviderSchema(
        version=read["provider"].version,
        provider=Block(attributes=few),
        resources={name: read[name].block("TerraformResource") for name in resources},
        data_sources={name: read[f"data.{name}"].block("TerraformDataSource") for name in data_sources},
    )


def _files(wheel: Path, folders: set[str]) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(wheel) as zipped:
        name = next((name for name in zipped.namelist() if name.endswith(".jsii.tgz")), None)
        if name is None:
            message = f"{wheel} holds no generated bindings"
            raise ArchiveError(message)
        packed = io.BytesIO(zipped.read(name))
    with tarfile.open(fileobj=packed) as files:
        for entry in files:
            folder, _, file = entry.name.removeprefix("package/lib/").partition("/")
            if folder in folders and file in {"index.js", "index.d.ts"} and (content := files.extractfile(entry)):
                yield f"{folder}/{file}", content.read().decode()


def _written(code: str) -> Iterator[tuple[str, _Written]]:
    for name, is_block, kind, stored_as in _WRITTEN.findall(code):
        yield name, _Written(is_block=is_block == "true", kind=kind, stored_as=stored_as)


def _type(how: _Written) -> Type:
    stored = _STORED_AS.fullmatch(how.stored_as)
    if stored is None:
        return _ANYTHING
    simple = _SIMPLE[stored[1]]
    match how.kind:
        case "list" | "set" | "map" as kind:
            return (kind, simple)
        case _:
            return simple


def _type_read(code: str) -> Type:
    """The type of a computed value, from the code that reads it."""
    found = _GETTER.search(code)
    return _READ_AS.get(found[1] or found[2], _ANYTHING) if found else _ANYTHING


def _documented_values(declarations: str) -> Iterator[tuple[tuple[str, str], tuple[str, ...]]]:
    for interface, body in _INTERFACE.findall(declarations):
        for comment in _DOCUMENTED.findall(body):
            values, name = _VALUES.search(comment), _NAME_IN_LINK.search(comment)
            if values and name:
                yield (interface, name[1]), tuple(re.findall(r'"([^"]+)"', values[1]))
