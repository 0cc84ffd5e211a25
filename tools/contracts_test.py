# tools/contracts.py finds each change that processes of the last release could not live with, and lets pass what they
# need not know of.
import pathlib
import shutil
import subprocess
import sys

import pytest

import contracts

TOOL = pathlib.Path(contracts.__file__)
THING = """// Things.
syntax = "proto3";
package micropay;

import "contracts/options.proto";

option (service) = {name: "thing", port: 1};

enum Kind { KIND_UNSPECIFIED = 0; RED = 1; }
message Thing {
  option (table) = {name: "thing", key: ["id"]};
  string id = 1 [(field) = {required: true}];
  Kind kind = 2;
  repeated string names = 3;
  int64 count = 4;
  message Part { string name = 1; }
  Part part = 5;
}
message GetThing { string id = 1; }
message MakeThing { string id = 1; string name = 2; }
message ThingMade { option (event) = {type: "thing.made", key: "id"}; string id = 1; }
service ThingService {
  rpc Get(GetThing) returns (Thing) { option (method) = {get: "/api/v1/things/{id}"}; }
  rpc Make(MakeThing) returns (Thing) { option (method) = {callers: ["gateway", "audit"]}; }
}
"""


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "contracts").mkdir()
    shutil.copy(TOOL.parent.parent / "contracts/options.proto", tmp_path / "contracts/options.proto")
    (tmp_path / "contracts/thing.proto").write_text(THING)
    contracts.release(tmp_path, "abc")
    return tmp_path


def found(tree, old, new):
    assert THING.count(old) == 1
    (tree / "contracts/thing.proto").write_text(THING.replace(old, new))
    return [what for _, _, what in contracts.check(tree)]


@pytest.mark.parametrize("old,new", [
    ("  int64 count = 4;\n", ""),
    ("int64 count = 4", "int64 count = 6"),
    ("int64 count = 4", "int32 count = 4"),
    ("int64 count = 4", "int64 number = 4"),
    ("int64 count = 4", "oneof what { int64 count = 4; }"),
    ("repeated string names", "string names"),
    ("message Part { string name = 1; }\n", "message Part { bytes name = 1; }\n"),
    (" RED = 1;", ""),
    ("RED = 1", "RED = 2"),
    ("RED = 1", "BLUE = 1"),
    ('key: ["id"]', 'key: ["id", "count"]'),
    ('name: "thing", key', 'name: "item", key'),
    ('type: "thing.made"', 'type: "thing.created"'),
    ('type: "thing.made", key: "id"', 'type: "thing.made", key: ""'),
    ('"gateway", "audit"', '"gateway"'),
    ('get: "/api/v1/things/{id}"', 'get: "/api/v1/thing/{id}"'),
    ('get: "/api/v1/things/{id}"', 'post: "/api/v1/things/{id}"'),
    ("rpc Get(GetThing)", "rpc Find(GetThing)"),
    ("rpc Make(MakeThing)", "rpc Make(GetThing)"),
    ("string name = 2;", "string name = 2 [(field) = {required: true}];"),
    ("string name = 2;", "string name = 2; string colour = 3 [(field) = {required: true}];"),
    ("port: 1", "port: 2"),
])
def test_what_the_release_could_not_live_with_is_found(tree, old, new):
    assert found(tree, old, new)


@pytest.mark.parametrize("old,new", [
    ("// Things.", "// Other things."),
    ("int64 count = 4;", "int64 count = 4; string colour = 6;"),
    (" RED = 1;", " RED = 1; BLUE = 2;"),
    ("string id = 1 [(field) = {required: true}]", "string id = 1"),
    ('"gateway", "audit"', '"gateway", "audit", "fraud"'),
    ("message GetThing", "message Other { string id = 1 [(field) = {required: true}]; }\nmessage GetThing"),
    ("rpc Get(GetThing)", "rpc Other(GetThing) returns (Thing);\n  rpc Get(GetThing)"),
])
def test_what_it_need_not_know_passes(tree, old, new):
    assert found(tree, old, new) == []


def test_the_contracts_of_this_tree_go_with_the_last_release():
    ran = subprocess.run([sys.executable, TOOL, "check"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    facts, release = contracts.read((TOOL.parent.parent / contracts.BASELINE).read_text())
    assert len(release) == 40 and facts["event payment.completed"].endswith("of payment key payment_id")
