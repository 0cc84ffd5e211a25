"""`micropay verify` as people and machines meet it: what it prints, its exit codes, the folders it works on:
at rest, of a running platform, a backup, one of a platform that ran some services only, and damaged ones."""
import json
import pathlib
import shutil
import sqlite3

import pytest

from platform_process import LocalPlatform, micropay


def verify(data, *options):
    done = micropay("verify", "--data", data, "--json", *options, timeout=300)
    return done.returncode, json.loads(done.stdout) if done.stdout.startswith("{") else None


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A folder at rest, and a backup that was taken of it while the platform ran."""
    folder = tmp_path_factory.mktemp("verify")
    platform = LocalPlatform(folder / "data", flags=("--demo",)).start()
    code, running = verify(platform.data)
    taken = micropay("backup", "--data", platform.data, "--to", folder / "backup")
    platform.stop()
    assert taken.returncode == 0, taken.stderr
    return folder, code, running


@pytest.fixture
def data(demo, tmp_path):
    shutil.copytree(demo[0] / "data", tmp_path / "data")
    return tmp_path / "data"


def failed(report):
    return {check["name"]: check for check in report["checks"] if not check["ok"]}


def test_a_folder_at_rest_a_running_one_and_a_backup_verify(demo):
    folder, code, running = demo
    assert code == 0 and running["ok"]
    for name in ("data", "backup"):
        code, report = verify(folder / name)
        assert code == 0 and report["ok"] and not failed(report)
        assert report["seconds"] > 0 and report["memoryBytes"] > 0
        for check in report["checks"]:
            assert {"name", "ok", "count", "unit"} <= set(check)


def test_the_head_it_prints_is_one_it_takes(data):
    head = verify(data)[1]["auditHead"]
    assert verify(data, "--audit-head", head)[0] == 0
    entry, digest = head.split(":")
    other = f"{entry}:{'0' * len(digest)}"
    code, report = verify(data, "--audit-head", other)
    assert code == 1 and len(failed(report)) == 1
    assert verify(data, "--audit-head", "no head")[0] == 2


def test_a_changed_row_is_named_with_its_place_and_what_to_do(data):
    with sqlite3.connect(data / "state.db") as tables:
        tables.execute("UPDATE payment_payment SET description = 'edited' WHERE id ="
                       " (SELECT id FROM payment_payment ORDER BY id LIMIT 1)")
    tables.close()
    code, report = verify(data)
    assert code == 1
    check = failed(report)["tables equal the log"]
    (table,) = check["tables"]
    assert table["table"] == "payment_payment" and table["differences"] == 1 and check["next"]
    (row,) = table["first"]
    assert row["kind"] == "changed" and row["fields"] == "description" and row["tick"] > 0
    assert (data / row["segment"]).exists()
    # What it advises helps.
    assert micropay("replay", "--data", data, "--rebuild").returncode == 0
    assert verify(data)[0] == 0


def test_a_damaged_log_is_a_failed_check_and_no_folder_is_none(data, tmp_path):
    segment = next(pathlib.Path(data / "log").glob("*.log"))
    content = bytearray(segment.read_bytes())
    content[100] ^= 1
    segment.write_bytes(content)
    code, report = verify(data)
    assert code == 1 and set(failed(report)) == {"log is whole"}
    assert segment.name in failed(report)["log is whole"]["problem"]
    assert verify(tmp_path / "nothing")[0] == 2


def test_a_folder_of_some_services_only_verifies(tmp_path):
    services = "--services=user,account,balance,transaction"
    platform = LocalPlatform(tmp_path / "some", flags=(services,)).start()
    platform.stop()
    code, report = verify(platform.data)
    assert code == 0 and report["ok"]
