"""Generates the columns of the audit trail in BigQuery from the schema of the topic, so that every message fits.

``python -m infra.contracts.audit_table`` writes them. A test checks that they are up to date.
"""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

from infra.build.stage import ROOT
from infra.contracts.audit_schema import PROTO_SCHEMA

COLUMNS = ROOT / "infra/contracts/audit-event.bigquery.json"

_TYPES = {
    FieldDescriptor.TYPE_STRING: "STRING",
    FieldDescriptor.TYPE_INT64: "INTEGER",
    FieldDescriptor.TYPE_BOOL: "BOOLEAN",
    FieldDescriptor.TYPE_MESSAGE: "RECORD",
}


class _Column(TypedDict, total=False):
    name: str
    type: str
    mode: str
    fields: "list[_Column]"


def columns(schema: Path = PROTO_SCHEMA) -> str:
    """The columns of the schema's first message, in BigQuery's JSON form of a table schema."""
    return json.dumps(_columns(_compiled(schema)), indent=2) + "\n"


def main() -> None:
    COLUMNS.write_text(columns())


def _columns(message: Descriptor) -> list[_Column]:
    return [_column(field) for field in message.fields]


def _column(field: FieldDescriptor) -> _Column:
    column = _Column(name=field.name, type=_TYPES[field.type], mode="REPEATED" if field.is_repeated else "NULLABLE")
    if field.message_type is not None:
        column["fields"] = _columns(field.message_type)
    return column


def _compiled(schema: Path) -> Descriptor:
    with TemporaryDirectory() as folder:
        written = Path(folder) / "descriptors"
        compiler = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={schema.parent}"]
        subprocess.run([*compiler, f"--descriptor_set_out={written}", schema.name], check=True)
        (file,) = FileDescriptorSet.FromString(written.read_bytes()).file
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindMessageTypeByName(file.message_type[0].name)


if __name__ == "__main__":
    main()
