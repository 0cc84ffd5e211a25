#!/usr/bin/env python3
# Whether the contracts of the working tree go with those of the last release, whose processes run beside the new
# ones while a cluster is upgraded: `contracts.py check` (the build and tools/check.py run it) compares with
# contracts/baseline.txt, `contracts.py release [COMMIT]` writes that file anew when a release is made.
#
# What the release had stays: every record, event, method, enum value and field, with its number, name and type, every
# table's key, every route and every caller. What is new may not be demanded of those who do not know it.
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BASELINE = "contracts/baseline.txt"
ROUTES = ("get", "post", "put", "patch", "delete")
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


def parse(lines):
    """protobuf's text form, as protoc prints it: {name: [values]}, a value being text or such a dict."""
    found = {}
    for line in lines:
        line = line.strip()
        if line == "}":
            break
        if line.endswith("{"):
            found.setdefault(line[:-1].strip(), []).append(parse(lines))
        elif line:
            name, _, value = line.partition(": ")
            quoted = STRING.fullmatch(value)
            found.setdefault(name, []).append(quoted[1] if quoted else value)
    return found


def descriptors(root):
    """The files of contracts/, from protoc."""
    protos = sorted(path.relative_to(root).as_posix() for path in (root / "contracts").glob("*.proto"))
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run(["protoc", "-I.", f"--descriptor_set_out={file.name}", *protos], cwd=root, check=True)
        file.seek(0)
        text = subprocess.run(["protoc", "-I.", "--decode=google.protobuf.FileDescriptorSet",
                               "contracts/options.proto"], stdin=file, cwd=root, check=True, capture_output=True,
                              text=True).stdout
    return parse(iter(text.splitlines())).get("file", [])


def one(found, name, otherwise=""):
    return found.get(name, [otherwise])[0]


def option(found, name):
    return one(one(found, "options", {}), f"[micropay.{name}]", {})


def messages(found, scope):
    for message in found:
        name = f"{scope}.{one(message, 'name')}"
        yield name, message
        yield from messages(message.get("nested_type", []), name)


def enums(file, scope):
    for each in file.get("enum_type", []):
        yield f"{scope}.{one(each, 'name')}", each
    for name, message in messages(file.get("message_type", []), scope):
        for each in message.get("enum_type", []):
            yield f"{name}.{one(each, 'name')}", each


def type_of(field):
    kind = one(field, "type_name").removeprefix(".") or one(field, "type").removeprefix("TYPE_").lower()
    if one(field, "label") == "LABEL_REPEATED":
        return f"repeated {kind}"
    return f"{kind} of a oneof" if "oneof_index" in field and "proto3_optional" not in field else kind


def facts_of(root):
    """{what it is about: what it says}: the lines of the baseline."""
    facts = {}
    for file in descriptors(root):
        scope, service = one(file, "package"), option(file, "service")
        if service:
            facts[f"service {one(service, 'name')}"] = f"port {one(service, 'port', '0')}"
        for name, message in messages(file.get("message_type", []), scope):
            facts.update(facts_of_message(name, message, one(service, "name")))
        for name, each in enums(file, scope):
            for value in each.get("value", []):
                facts[f"value {name} {one(value, 'number', '0')}"] = one(value, "name")
        for each in file.get("service", []):
            for method in each.get("method", []):
                facts.update(facts_of_method(f"{scope}.{one(each, 'name')}/{one(method, 'name')}", method))
    return facts


def facts_of_message(name, message, service):
    facts = {f"message {name}": "."}
    for field in message.get("field", []):
        about = f"field {name} {one(field, 'number')}"
        facts[about] = f"{one(field, 'name')} {type_of(field)}"
        if one(option(field, "field"), "required") == "true":
            facts[f"required {name} {one(field, 'number')}"] = one(field, "name")
    if table := option(message, "table"):
        facts[f"table {service}_{one(table, 'name')}"] = f"{name} key {','.join(table.get('key', []))}"
    if event := option(message, "event"):
        facts[f"event {one(event, 'type')}"] = f"{name} of {service} key {one(event, 'key')}"
    return facts


def facts_of_method(name, method):
    said = option(method, "method")
    kind = "query" if one(said, "query") == "true" or "get" in said else "command"
    facts = {f"method {name}": f"{one(method, 'input_type')[1:]} {one(method, 'output_type')[1:]} {kind}"}
    for verb in ROUTES:
        if verb in said:
            facts[f"route {verb.upper()} {one(said, verb)}"] = name
    for caller in said.get("callers", []):
        facts[f"caller {name} {caller}"] = "."
    return facts


def read(text):
    """The facts of a baseline, and the commit of its release."""
    lines = text.splitlines()
    release = next(line.split()[2] for line in lines if line.startswith("# release "))
    return dict(line.split(" = ", 1) for line in lines if line and not line.startswith("#")), release


def findings(before, now):
    """What the release's processes could not live with."""
    for about, said in before.items():
        if about.startswith("required "):
            continue  # less may be demanded
        if about not in now:
            yield f"{about} ({said}) is gone: keep it for the processes of the release"
        elif now[about] != said:
            yield f"{about}: was {said}, is {now[about]}"
    for about in now:
        if not about.startswith("required ") or about in before:
            continue
        message = about.split()[1]
        if f"message {message}" in before:
            yield f"{about} ({now[about]}): the release's processes do not know that it is demanded"


def check(root):
    """(path, line, what) of each finding, as tools/check.py has them."""
    file = root / BASELINE
    before, _ = read(file.read_text())
    for what in findings(before, facts_of(root)):
        yield BASELINE, 1, what


def release(root, commit):
    head = ("# What the contracts said at the last release: its processes run beside those of the working tree while a\n"
            "# cluster is upgraded, so tools/contracts.py holds the contracts to it. Made by `make release-contracts`.\n")
    lines = [f"{about} = {said}\n" for about, said in sorted(facts_of(root).items())]
    (root / BASELINE).write_text(f"{head}# release {commit}\n" + "".join(lines))


def main():
    if sys.argv[1:2] == ["release"]:
        commit = sys.argv[2] if len(sys.argv) > 2 else subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
        return release(ROOT, commit)
    if sys.argv[1:] != ["check"]:
        sys.exit(f"usage: {sys.argv[0]} check | release [COMMIT]")
    found = list(check(ROOT))
    for path, line, what in found:
        print(f"{path}:{line}: {what}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
