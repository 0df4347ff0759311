"""A provider that has the resources' schemas and creates nothing. This is enough to validate and to test with mocks.

It serves the real terraform program on a unix socket, as a plug-in that already runs. Terraform itself finds unknown
arguments, missing arguments, wrong types and wrong references. This provider finds texts that are not documented
values.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import msgpack

from infra.terraform.offline.schema import Attribute, Block, NestedBlock, ProviderSchema

# Compiled at import, so that the repository needs no generated code.
_wire: Any = grpc.protos("infra/terraform/offline/tfplugin6.proto")

_UNKNOWN = object()
"""A value that is known only after apply."""


@contextmanager
def served(schema: ProviderSchema, socket: Path) -> Iterator[None]:
    """Serve the provider on this socket while the context is open."""
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.max_send_message_length", -1)])
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler("tfplugin6.Provider", _provider(schema)),
            grpc.method_handlers_generic_handler("plugin.GRPCController", {"Shutdown": _says_nothing()}),
        )
    )
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    try:
        yield
    finally:
        server.stop(None)


def wrong_values(block: Block, config: Mapping[str, Any], *, at: str = "") -> Iterator[str]:
    """Report each text that is not one of its documented values, with its place and these values."""
    for name, attribute in block.attributes.items():
        value = config.get(name)
        if isinstance(value, str) and attribute.one_of and value not in attribute.one_of:
            yield f"{at}{name} is {value!r}, but must be one of {', '.join(attribute.one_of)}"
    for name, nested in block.blocks.items():
        inner = config.get(name)
        for each in inner if isinstance(inner, list) else [inner]:
            if isinstance(each, dict):
                yield from wrong_values(nested.block, each, at=f"{at}{name}.")


def _provider(schema: ProviderSchema) -> dict[str, grpc.RpcMethodHandler]:
    everything = _wire.GetProviderSchema.Response(provider=_schema(schema.provider))
    for name, block in schema.resources.items():
        everything.resource_schemas[name].CopyFrom(_schema(block))
    for name, block in schema.data_sources.items():
        everything.data_source_schemas[name].CopyFrom(_schema(block))

    def validate(request: Any) -> Any:  # noqa: ANN401 protobuf's generated messages have no static type
        config = msgpack.unpackb(request.config.msgpack, ext_hook=lambda _code, _data: _UNKNOWN, strict_map_key=False)
        problems = wrong_values(schema.resources[request.type_name], config)
        error = _wire.Diagnostic.ERROR
        diagnostics = [_wire.Diagnostic(severity=error, summary="Invalid value", detail=each) for each in problems]
        return _wire.ValidateResourceConfig.Response(diagnostics=diagnostics)

    return {
        "GetProviderSchema": _handler(lambda _: everything),
        "ValidateProviderConfig": _says_nothing(),
        "ValidateResourceConfig": _handler(validate, takes=_wire.ValidateResourceConfig.Request),
        "ValidateDataResourceConfig": _says_nothing(),
        "ConfigureProvider": _says_nothing(),
        "StopProvider": _says_nothing(),
    }


def _says_nothing() -> grpc.RpcMethodHandler:
    return _handler(lambda _: _wire.Nothing())


def _handler(answer: Callable[[Any], Any], *, takes: Any = _wire.Nothing) -> grpc.RpcMethodHandler:  # noqa: ANN401 as above
    handler: grpc.RpcMethodHandler = grpc.unary_unary_rpc_method_handler(
        lambda request, _context: answer(request), takes.FromString, lambda message: message.SerializeToString()
    )
    return handler


def _schema(block: Block) -> Any:  # noqa: ANN401 as above
    return _wire.Schema(block=_block(block))


def _block(block: Block) -> Any:  # noqa: ANN401 as above
    return _wire.Schema.Block(
        attributes=[_attribute(name, each) for name, each in block.attributes.items()],
        block_types=[_nested(name, each) for name, each in block.blocks.items()],
    )


def _attribute(name: str, attribute: Attribute) -> Any:  # noqa: ANN401 as above
    return _wire.Schema.Attribute(
        name=name,
        type=json.dumps(attribute.type).encode(),
        required=attribute.required,
        optional=attribute.optional,
        computed=attribute.computed,
    )


def _nested(name: str, nested: NestedBlock) -> Any:  # noqa: ANN401 as above
    return _wire.Schema.NestedBlock(
        type_name=name,
        block=_block(nested.block),
        nesting=_wire.Schema.NestedBlock.NestingMode.Value(nested.nesting.name),
        min_items=nested.min_items,
        max_items=nested.max_items,
    )
