"""What stands in for the provider: read from generated bindings, written down, and served."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from infra.terraform.offline.__main__ import main
from infra.terraform.offline.archive import ArchiveError, read_archive
from infra.terraform.offline.provider import wrong_values
from infra.terraform.offline.schema import SCHEMA, Attribute, Block, NestedBlock, Nesting, ProviderSchema
from infra.terraform.offline.terraform import Terraform, used_resources

PROVIDER = """
class GoogleProvider extends cdktn.TerraformProvider {
    // ATTRIBUTES
    // project - computed: false, optional: true, required: false
    _project;
    // pubsub_custom_endpoint - computed: false, optional: true, required: false
    _pubsubCustomEndpoint;
    // batching - computed: false, optional: true, required: false
    _batching;
    // SYNTHESIS
    synthesizeHclAttributes() {
        const attrs = {
            project: {
                value: cdktn.stringToHclTerraform(this._project),
                isBlock: false,
                type: "simple",
                storageClassType: "string",
            },
            batching: {
                value: x(this._batching),
                isBlock: true,
                type: "list",
                storageClassType: "GoogleProviderBatchingList",
            },
        };
    }
}
"""
THING = """
function thingPartToHclTerraform(struct) {
    const attrs = {
        size: {
            value: cdktn.numberToHclTerraform(struct.size),
            isBlock: false,
            type: "simple",
            storageClassType: "number",
        },
    };
}
class ThingPartOutputReference extends cdktn.ComplexObject {
    // size - computed: false, optional: false, required: true
    _size;
    get size() {
        return this.getNumberAttribute('size');
    }
}
function thingTimeoutsToHclTerraform(struct) {
    const attrs = {};
}
class ThingTimeoutsOutputReference extends cdktn.ComplexObject {
}
class Thing extends cdktn.TerraformResource {
    constructor(scope, id, config) {
        super(scope, id, { terraformGeneratorMetadata: {
                providerVersion: '8.7.0',
            } });
    }
    // ==========
    // kind - computed: false, optional: false, required: true
    _kind;
    // tags - computed: false, optional: true, required: false
    _tags;
    // names - computed: true, optional: true, required: false
    _names;
    // is_new - computed: false, optional: true, required: false
    _isNew;
    // uri - computed: true, optional: false, required: false
    get uri() {
        return this.getStringAttribute('uri');
    }
    // labels - computed: true, optional: false, required: false
    _labels = new cdktn.StringMap(this, "labels");
    // state - computed: true, optional: false, required: false
    _state = new ThingStateList(this, "state", false);
    // part - computed: false, optional: false, required: true
    _part = new ThingPartOutputReference(this, "part");
    // parts - computed: false, optional: true, required: false
    _parts = new ThingPartList(this, "parts", true);
    // Temporarily expose input value. Use with caution.
    // timeouts - computed: false, optional: true, required: false
    _timeouts = new ThingTimeoutsOutputReference(this, "timeouts");
    // SYNTHESIS
    synthesizeHclAttributes() {
        const attrs = {
            kind: {
                value: cdktn.stringToHclTerraform(this._kind),
                isBlock: false,
                type: "simple",
                storageClassType: "string",
            },
            tags: {
                value: cdktn.hashMapperHcl(cdktn.stringToHclTerraform)(this._tags),
                isBlock: false,
                type: "map",
                storageClassType: "stringMap",
            },
            names: {
                value: cdktn.listMapperHcl(cdktn.stringToHclTerraform, false)(this._names),
                isBlock: false,
                type: "set",
                storageClassType: "stringList",
            },
            is_new: {
                value: cdktn.booleanToHclTerraform(this._isNew),
                isBlock: false,
                type: "simple",
                storageClassType: "boolean",
            },
            part: {
                value: thingPartToHclTerraform(this._part.internalValue),
                isBlock: true,
                type: "list",
                storageClassType: "ThingPartList",
            },
            parts: {
                value: cdktn.listMapperHcl(thingPartToHclTerraform, true)(this._parts.internalValue),
                isBlock: true,
                type: "set",
                storageClassType: "ThingPartList",
            },
            timeouts: {
                value: thingTimeoutsToHclTerraform(this._timeouts.internalValue),
                isBlock: true,
                type: "struct",
                storageClassType: "ThingTimeouts",
            },
        };
    }
}
"""
DECLARATIONS = """
export interface ThingConfig extends cdktn.TerraformMetaArguments {
    /**
    * What it is. Possible values: ["ROUND", "SQUARE"]
    *
    * Docs at Terraform Registry: {@link https://example.org/docs/resources/thing#kind Thing#kind}
    */
    readonly kind: string;
    /**
    * Its names.
    *
    * Docs at Terraform Registry: {@link https://example.org/docs/resources/thing#names Thing#names}
    */
    readonly names?: string[];
}
"""
THING_BLOCK = Block(
    attributes={
        "kind": Attribute(type="string", required=True, one_of=("ROUND", "SQUARE")),
        "tags": Attribute(type=("map", "string"), optional=True),
        "names": Attribute(type=("set", "string"), optional=True, computed=True),
        "is_new": Attribute(type="bool", optional=True),
        "uri": Attribute(type="string", computed=True),
        "labels": Attribute(type=("map", "string"), computed=True),
        "state": Attribute(type="dynamic", computed=True),
    },
    blocks={
        "part": NestedBlock(
            nesting=Nesting.LIST,
            block=Block(attributes={"size": Attribute(type="number", required=True)}),
            min_items=1,
            max_items=1,
        ),
        "parts": NestedBlock(
            nesting=Nesting.SET, block=Block(attributes={"size": Attribute(type="number", required=True)})
        ),
        "timeouts": NestedBlock(nesting=Nesting.SINGLE, block=Block(attributes={})),
    },
)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel with the bindings of a provider that knows one resource."""
    files = {
        "provider/index.js": PROVIDER,
        "provider/index.d.ts": "",
        "thing/index.js": THING,
        "thing/index.d.ts": DECLARATIONS,
        "data-google-thing/index.js": THING.replace("TerraformResource", "TerraformDataSource"),
        "data-google-thing/index.d.ts": "",
        "other/index.js": "not read",
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"package/lib/{name}")
            entry.size = len(content.encode())
            archive.addfile(entry, io.BytesIO(content.encode()))
    path = tmp_path / "bindings.whl"
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("bindings/_jsii/provider@1.jsii.tgz", packed.getvalue())
    return path


def test_a_resource_is_read_with_its_types_its_nesting_and_what_it_requires(wheel: Path) -> None:
    schema = read_archive(wheel, resources={"google_thing"}, data_sources=set())

    assert schema.resources == {"google_thing": THING_BLOCK}


def test_a_data_source_is_read_alike_without_what_is_documented_of_the_resource(wheel: Path) -> None:
    schema = read_archive(wheel, resources=set(), data_sources={"google_thing"})

    assert schema.data_sources["google_thing"].attributes["kind"] == Attribute(type="string", required=True)


def test_of_the_provider_its_plain_arguments_are_read(wheel: Path) -> None:
    schema = read_archive(wheel, resources=set(), data_sources=set())

    assert schema.provider == Block(attributes={"project": Attribute(type="string", optional=True)})


def test_a_resource_that_the_provider_lacks_is_named(wheel: Path) -> None:
    with pytest.raises(ArchiveError, match="the provider has no google_ring"):
        read_archive(wheel, resources={"google_thing", "google_ring"}, data_sources=set())


def test_a_wheel_without_bindings_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.whl"
    with zipfile.ZipFile(path, "w"):
        pass

    with pytest.raises(ArchiveError, match="holds no generated bindings"):
        read_archive(path, resources=set(), data_sources=set())


def test_what_is_written_down_is_read_as_it_was_with_a_line_for_each_resource(wheel: Path, tmp_path: Path) -> None:
    schema = read_archive(wheel, resources={"google_thing"}, data_sources={"google_thing"})
    file = tmp_path / "schema.json"
    file.write_text(schema.dump())

    assert ProviderSchema.load(file) == schema
    assert sum(line.startswith('"google_thing": {') for line in file.read_text().splitlines()) == 2


def test_the_schema_at_hand_is_written_as_it_would_be() -> None:
    schema = ProviderSchema.load()

    assert SCHEMA.read_text() == schema.dump()


@pytest.mark.parametrize(
    ("config", "wrong"),
    [
        ({"kind": "ROUND"}, []),
        ({"kind": "OVAL"}, ["kind is 'OVAL', but must be one of ROUND, SQUARE"]),
        ({"kind": None}, []),
        ({"kind": object()}, []),
        ({"inner": [{"kind": "OVAL"}, {"kind": "SQUARE"}]}, ["inner.kind is 'OVAL', but must be one of ROUND, SQUARE"]),
        ({"inner": {"kind": "OVAL"}}, ["inner.kind is 'OVAL', but must be one of ROUND, SQUARE"]),
        ({"inner": None}, []),
    ],
)
def test_a_text_that_is_none_of_its_documented_values_is_named(config: dict[str, object], wrong: list[str]) -> None:
    kind = Block(attributes={"kind": Attribute(type="string", one_of=("ROUND", "SQUARE"))})
    block = Block(attributes=kind.attributes, blocks={"inner": NestedBlock(nesting=Nesting.LIST, block=kind)})

    found = list(wrong_values(block, config))

    assert found == wrong


def test_the_resources_in_use_are_found_in_the_files(tmp_path: Path) -> None:
    (tmp_path / "a.tf").write_text('resource "google_thing" "a" {}\n  # resource "google_other" "b" {}\n')
    (tmp_path / "b.tf").write_text('data "google_place" "here" {}\n')

    assert used_resources(tmp_path) == ({"google_thing"}, {"google_place"})


@pytest.mark.parametrize("arguments", [[], ["terraform"], ["extract"], ["plan"]])
def test_a_command_that_is_not_understood_is_answered_with_those_that_are(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(arguments)

    assert status == 2
    assert "python -m infra.terraform.offline terraform validate" in capsys.readouterr().err


def test_terraform_is_run_from_the_command_line(terraform: Terraform, capfd: pytest.CaptureFixture[str]) -> None:
    assert terraform

    status = main(["terraform", "validate", "-no-color"])

    assert status == 0
    assert "The configuration is valid" in capfd.readouterr().out
