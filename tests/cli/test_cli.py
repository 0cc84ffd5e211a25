"""The command line: help that teaches, errors that say what to do, commands with a platform and without."""
import base64
import json
import re
import subprocess
import time

import pytest

from platform_client import PASSWORD, Api, unique, wait_for
from platform_process import BINARY, ROOT, clean_environment, micropay

COMMANDS = ["serve", "top", "verify", "replay", "backup", "restore", "schema", "events tail", "events show",
            "user create-admin",
            "outbox", "keys rotate", "services", "openapi", "docs", "completion", "version"]


def lines(text):
    return [line for line in text.splitlines() if line]


def test_the_overview_lists_every_command():
    for words in ([], ["--help"], ["-h"]):
        shown = micropay(*words)
        assert shown.returncode == 0
        for command in COMMANDS:
            assert re.search(rf"^  {command} ", shown.stdout, re.M), command


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(command):
    shown = micropay(*command.split(), "--help")
    assert shown.returncode == 0 and shown.stderr == ""
    assert f"Usage: micropay {command}" in shown.stdout
    assert "Example:" in shown.stdout and "Exit codes:" in shown.stdout
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", shown.stdout.split("Options:")[0])):
        assert re.search(rf"^  {option}\b", shown.stdout, re.M), f"{option} is not explained"


@pytest.mark.parametrize("words, code, expected", [
    (["srve"], 2, '"serve"'), (["events", "tial"], 2, '"tail"'), (["events"], 2, "show, tail"),
    (["serve", "--dta", "x"], 2, "--data"), (["backup"], 2, "--to"),
    (["schema", "--dialect", "oracle"], 2, "postgres"),
    (["serve", "--services", "payment,balanse", "--print-config"], 2, '"balance"'),
    (["serve", "--set", "fraud.mod=off", "--print-config"], 2, "fraud.mode"),
    (["serve", "--set", "fraud.mode=maybe", "--print-config"], 2, "shadow"),
    (["serve", "--set", "payment.reservation_ttl=soon", "--print-config"], 2, "15m"),
    (["serve", "--config", "/nowhere.yaml", "--print-config"], 2, "/nowhere.yaml"),
    (["events", "show", "x"], 2, "position"), (["completion", "csh"], 2, "bash"),
    (["verify", "--data", "/nowhere"], 2, "/nowhere"),
    (["keys", "rotate", "--data", "/nowhere"], 2, "/nowhere"),
])
def test_mistakes_are_explained(tmp_path, words, code, expected):
    shown = micropay(*words, cwd=tmp_path)
    assert shown.returncode == code, shown
    assert expected in shown.stderr, shown.stderr
    assert "terminate" not in shown.stderr and "exception" not in shown.stderr


def config(tmp_path, *words, **options):
    shown = micropay("serve", "--data", tmp_path / "data", *words, "--print-config", **options)
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


def test_settings_and_where_they_come_from(tmp_path):
    file = tmp_path / "micropay.yaml"
    file.write_text("payment:\n  reservation_ttl: 20m\nfraud:\n  mode: shadow\nuser:\n  session_ttl: 5d\n")
    text = config(tmp_path, "--config", file, "--set", "fraud.mode=off", "--listen", "127.0.0.1:1",
                  environment={"MICROPAY_USER_SESSION_TTL": "6d", "MICROPAY_FRAUD_MODE": "enforce"})
    rows = {row.split()[0]: row for row in lines(text)}
    assert re.search(r"\b20m\b.*micropay.yaml:2", rows["payment.reservation_ttl"])
    assert re.search(r"\b6d\b.*MICROPAY_USER_SESSION_TTL", rows["user.session_ttl"])
    assert re.search(r"\boff\b.*--set", rows["fraud.mode"])
    assert re.search(r"127.0.0.1:1\b.*--listen", rows["gateway.listen"])
    assert "default" in rows["account.default_currency"]


def test_unknown_settings_of_every_source(tmp_path):
    file = tmp_path / "micropay.yaml"
    file.write_text("payment:\n  reservation_tt: 20m\n")
    shown = micropay("serve", "--config", file, "--set", "gateway.rate_limit=off", "--print-config",
                     environment={"MICROPAY_FRUAD_MODE": "off"})
    assert shown.returncode == 2
    for expected in ("payment.reservation_ttl", "micropay.yaml:2", "gateway.rate_limits",
                     "MICROPAY_FRUAD_MODE"):
        assert expected in shown.stderr, "all mistakes at once"


def test_secrets_are_masked(tmp_path):
    text = config(tmp_path)
    secrets = [row.split()[0] for row in lines(text) if re.search(r"secret|password|private", row.split()[0])]
    for name in secrets:
        assert "hush-hush" not in config(tmp_path, "--set", f"{name}=hush-hush")


def test_services():
    shown = micropay("services")
    assert shown.returncode == 0
    listed = {each["service"]: each for each in json.loads(micropay("services", "--json").stdout)}
    assert listed["payment"]["port"] == 8083 and "payment.completed" in listed["payment"]["events"]
    assert listed["notification"]["hears"] == ["account", "payment", "user"]
    for service, each in listed.items():
        row = next(row for row in lines(shown.stdout) if row.split()[0] == service)
        assert str(each["port"]) in row and (each["topic"] in row or not each["events"])
    named = micropay("services", "--events").stdout
    assert "payment.completed" in named and "balance_reservation" in named


def test_schema():
    everything = micropay("schema").stdout
    assert 'CREATE TABLE IF NOT EXISTS' in everything and "payment_payment" in everything
    one = micropay("schema", "--service", "payment", "--dialect", "postgres").stdout
    assert "payment_payment" in one and "user_user" not in one
    unknown = micropay("schema", "--service", "payments")
    assert unknown.returncode == 2 and "payment" in unknown.stderr


def test_the_schema_is_sql(tmp_path):
    import sqlite3
    sqlite3.connect(tmp_path / "x.db").executescript(micropay("schema").stdout)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell):
    script = micropay("completion", shell)
    assert script.returncode == 0
    for word in ("serve", "create-admin", "--print-config"):
        assert word.lstrip("-") in script.stdout


def test_bash_completes():
    script = micropay("completion", "bash").stdout
    ask = f"""{script}
COMP_WORDS=(micropay ev); COMP_CWORD=1
$(complete -p micropay | sed 's/.*-F \\([^ ]*\\).*/\\1/')
echo "${{COMPREPLY[@]}}\""""
    assert subprocess.run(["bash", "-c", ask], capture_output=True, text=True).stdout.strip() == "events"


def test_the_openapi_document_is_the_served_one(platform):
    assert json.loads(micropay("openapi").stdout) == platform.anonymous().get("/openapi.json")


def test_docs_are_up_to_date(tmp_path):
    written = micropay("docs", "--to", tmp_path)
    assert written.returncode == 0
    names = [path.name for path in tmp_path.iterdir()]
    assert {"api.md", "events.md", "cli.md", "settings.md"} <= set(names)
    for name in names:
        kept = (ROOT / "docs" / name).read_text()
        assert kept == (tmp_path / name).read_text(), f"docs/{name}: run micropay docs"


def test_version():
    version = micropay("version").stdout
    assert re.fullmatch(r"micropay \d+\.\d+\.\d+\S*\n", version) and micropay("--version").stdout == version


# ---- beside a running platform ----

def tail(platform, *words):
    shown = micropay("events", "tail", "--data", platform.data, *words)
    assert shown.returncode == 0, shown.stderr
    return lines(shown.stdout)


def test_events_of_a_registration(platform):
    user = platform.register("tail", prove=False)
    wallet = user.wallet()
    wait_for(lambda: user.items("notifications"), "welcome")
    events = [json.loads(line) for line in tail(platform, "--from", "1", "--json")]
    mine = [event for event in events if event["subject"] in (user.id, wallet)]
    assert [event["type"] for event in mine if event["type"] != "user.signed_in"] \
        == ["user.created", "account.created", "notification.sent"]
    assert [event["position"] for event in events] == list(range(1, len(events) + 1))


def test_tail_filters_and_shows(platform):
    user = platform.register("tail")
    top_up = user.top_up("1.00")
    assert len(tail(platform)) == min(20, len(tail(platform, "--from", "1")))
    some = [json.loads(line)
            for line in tail(platform, "--from", "1", "--type", "account.top_up.*", "--json")]
    mine = [event for event in some if event["subject"] == top_up["id"]]
    assert [event["type"] for event in mine] \
        == ["account.top_up.requested", "account.top_up.captured", "account.top_up.completed"]
    for wanted in (mine[0]["id"], str(mine[0]["position"])):
        shown = micropay("events", "show", wanted, "--data", platform.data, "--json")
        assert json.loads(shown.stdout) == mine[0]
    assert micropay("events", "show", "99999999", "--data", platform.data).returncode == 1
    assert top_up["id"] in "\n".join(tail(platform, "--type", "account.top_up.completed"))


def test_following(platform):
    words = [str(BINARY), "events", "tail", "--data", str(platform.data), "--follow", "--json", "--type",
             "user.created"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=clean_environment()) as following:
        try:
            user = platform.register("follow")
            assert user.id in (json.loads(line)["subject"] for line in following.stdout)
        finally:
            following.terminate()


def create_admin(data, email, password=PASSWORD):
    return micropay("user", "create-admin", "--data", data, "--email", email, "--password-stdin",
                    stdin=password + "\n")


def test_an_administrator_on_a_running_platform(platform):
    email = f"{unique('boss')}@example.org"
    made = create_admin(platform.data, email)
    assert made.returncode == 0 and PASSWORD not in made.stdout
    assert json.loads(made.stdout)["roles"] == ["ADMIN"]
    token = platform.anonymous().post("auth/login", {"email": email, "password": PASSWORD})["accessToken"]
    assert Api(platform, token).get("users", pageSize=1)["users"]
    again = create_admin(platform.data, email)
    assert again.returncode == 1 and email not in again.stdout
    short = create_admin(platform.data, f"{unique()}@example.org", "short")
    assert short.returncode == 1 and "password" in short.stderr
    bare = micropay("user", "create-admin", "--data", platform.data, "--email", "x@example.org")
    assert bare.returncode == 2 and "--password-stdin" in bare.stderr
    platform.staff("ADMIN").put(f"users/{json.loads(made.stdout)['id']}/roles",
                                {"roles": ["USER"], "reason": "for a test"})


def test_an_administrator_on_a_stopped_one(fresh_platform, tmp_path):
    data = tmp_path / "data0"
    made = create_admin(data, "boss@example.org")
    assert made.returncode == 0, made.stderr
    platform = fresh_platform()
    pair = platform.anonymous().post("auth/login", {"email": "boss@example.org", "password": PASSWORD})
    boss = Api(platform, pair["accessToken"])
    me = boss.get("users/me")
    assert me["roles"] == ["ADMIN"]
    boss.refused(409, "last_admin", "PUT", f"users/{me['id']}/roles",
                 {"roles": ["USER"], "reason": "retiring"})


def test_rotating_keys_signs_nobody_out(fresh_platform):
    platform = fresh_platform()
    user = platform.register("rotating")

    def key_ids():
        return {key["kid"] for key in platform.anonymous().get("/.well-known/jwks.json")["keys"]}
    before = key_ids()
    rotated = micropay("keys", "rotate", "--data", platform.data)
    assert rotated.returncode == 0, rotated.stderr
    wait_for(lambda: len(key_ids()) == len(before) + 1, "the new key")
    new = (key_ids() - before).pop()
    assert new in rotated.stdout and before < key_ids()
    assert user.get("users/me")["id"] == user.id, "the old token is still good"

    def signed_by_the_new_one():
        header = user.login().token.split(".")[0]
        return new in base64.urlsafe_b64decode(header + "==").decode()
    assert not signed_by_the_new_one(), "whoever keeps the key set for its five minutes does not know it yet"
    platform.restart()
    assert user.get("users/me")["id"] == user.id


def test_it_starts_fast(fresh_platform):
    platform = fresh_platform()
    platform.register("one")
    began = time.monotonic()
    platform.restart()
    assert time.monotonic() - began < 3


def test_an_address_in_use(platform, tmp_path):
    listen = platform.url.removeprefix("http://")
    shown = micropay("serve", "--data", tmp_path / "data", "--listen", listen, "--ops", "127.0.0.1:0")
    assert shown.returncode == 2 and listen in shown.stderr and "--listen" in shown.stderr
