"""Bad days of the disk: what cannot be used is refused at start, with a code, the place and what to do next;
a full disk refuses what it cannot keep, and nothing else, until there is space.
"""
import os
import signal
import pathlib
import shutil
import sqlite3
import subprocess

import pytest

from platform_client import items_of, new_uuid, problem, wait_for
from platform_process import BINARY, clean_environment, micropay

pytestmark = pytest.mark.slow
PAYMENTS = 300  # of 4 KB each and more: more than one log file


@pytest.fixture(scope="module")
def at_rest(module_platform, tmp_path_factory):
    """A folder with two log files, and a function that copies it."""
    platform = module_platform("account.limits=off", "fraud.mode=shadow", "store.segment_mb=1")
    payer, payee = platform.register("payer"), platform.register("payee")
    payer.top_up("100.00")
    for _ in range(PAYMENTS):
        payer.pay(payee, "0.01")
    platform.stop()
    copies = tmp_path_factory.mktemp("copies")

    def copy():
        return pathlib.Path(shutil.copytree(platform.data, copies / new_uuid()))
    return copy


def cut(path, part):
    os.truncate(path, int(path.stat().st_size * part))


def garble(path):
    path.write_bytes(b"x" * 8192)


def make_newer(path):
    """Tables of a version to come."""
    with sqlite3.connect(path) as tables:
        tables.execute("UPDATE micropay_note SET value = 99 WHERE name = 'format'")
    tables.close()


FIRST, LAST = "log/00000001.log", "log/00000002.log"


@pytest.mark.parametrize("file, damage, code", [
    ("state.db", garble, "tables_damaged"),
    ("state.db", lambda path: cut(path, 0.5), "tables_damaged"),
    ("state.db", make_newer, "newer_format"),
    ("keys.json", garble, "keys_unavailable"),
    ("keys.json", lambda path: cut(path, 0.5), "keys_unavailable"),
    ("keys.json", lambda path: cut(path, 0), "keys_unavailable"),
    (FIRST, garble, "log_damaged"),
    (FIRST, lambda path: cut(path, 0.5), "log_damaged"),
    (FIRST, lambda path: cut(path, 0), "log_damaged"),
    (FIRST, pathlib.Path.unlink, "log_damaged"),
    (LAST, lambda path: cut(path, 0.3), "log_damaged"),
], ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", "cut"))
def test_what_cannot_be_used_is_refused_at_start(at_rest, file, damage, code):
    data = at_rest()
    damage(data / file)
    before = {path: path.read_bytes() for path in data.rglob("*.*") if path.is_file()}
    refused = micropay("serve", "--data", data, "--listen", "127.0.0.1:0", "--ops", "127.0.0.1:0")
    assert refused.returncode == 2, refused.stdout + refused.stderr
    assert f"({code})" in refused.stderr and file in refused.stderr
    assert code == "newer_format" or f"{data}" in refused.stderr, "it says what to do with this folder"
    assert {path: path.read_bytes() for path in before if path.exists()} == before, "nothing was changed"


def test_the_next_step_after_damaged_tables_works(at_rest, fresh_platform):
    data = at_rest()
    garble(data / "state.db")
    for file in data.glob("state.db*"):
        file.unlink()
    fresh_platform(data=data)  # and it verifies at the end


def test_a_read_only_folder_is_refused(at_rest):
    """Also for root: the folder is mounted read-only, in a namespace of the command's own."""
    data = at_rest()
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" || exit 77; exec "$@"'
    refused = subprocess.run(["unshare", "-rm", "sh", "-c", script, data, BINARY, "serve", "--data", data,
                              "--listen", "127.0.0.1:0", "--ops", "127.0.0.1:0"],
                             capture_output=True, text=True, timeout=60, env=clean_environment())
    if refused.returncode in (1, 77):
        pytest.skip("no mount namespaces here; libs_store_test has the case of a folder without rights")
    assert refused.returncode == 2, refused.stderr
    assert "(data_read_only)" in refused.stderr and str(data) in refused.stderr


class SmallDisk:
    """A file system of a few MB, and a file that fills it."""

    def __init__(self, folder):
        self.folder, self.filler = folder, folder / "filler"

    def fill(self):
        with open(self.filler, "ab", buffering=0) as file:
            for size in (1 << 20, 4096):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def empty(self):
        self.filler.unlink()


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.system(f"mount -t tmpfs -o size=64m none '{folder}' 2> /dev/null") != 0:
        pytest.skip("no right to mount; libs/store/full_disk_test.cc has the same below a twin")
    yield SmallDisk(folder)
    os.system(f"umount -l '{folder}'")


def test_a_platform_stops_on_a_full_disk(small_disk, fresh_platform):
    """Its own log is on that disk, too: the line that says that it stops could not be written, and ended it
    by abort.
    """
    platform = fresh_platform("store.segment_mb=1", data=small_disk.folder / "data")
    payer, payee = platform.register("payer"), platform.register("payee")
    payer.top_up("100.00")
    small_disk.fill()
    wait_for(lambda: payer.try_pay(payee, "0.01").status_code == 503, "a full disk", 60)
    small_disk.fill()
    assert platform.end(signal.SIGTERM) == 0


@pytest.mark.timeout(600)
def test_a_full_disk_refuses_writes_until_there_is_space(small_disk, fresh_platform):
    platform = fresh_platform("account.limits=off", "fraud.mode=shadow", "store.segment_mb=1",
                              data=small_disk.folder / "data")
    payer, payee = platform.register("payer"), platform.register("payee")
    payer.top_up("100.00")
    process = platform.process
    paid = [payer.pay(payee, "0.01")["id"] for _ in range(50)]
    assert payer.items("payments")  # waits for the tables: these rows are in them
    refused_key = None
    for _ in range(2):
        small_disk.fill()

        def pay_until_full():
            nonlocal refused_key
            refused_key = new_uuid()
            answer = payer.try_pay(payee, "0.01", key=refused_key)
            if answer.status_code == 503:
                return answer
            paid.append(answer.json()["id"])
            return None
        full = wait_for(pay_until_full, "a full disk", 60)
        problem(full, 503, "storage_full")
        assert int(full.headers["Retry-After"]) >= 1
        for _ in range(20):
            small_disk.fill()  # also what others gave back since: the applier, and who prepared a log file
            problem(payer.try_pay(payee, "0.01", key=refused_key), 503, "storage_full")
        assert payer.get(f"payments/{paid[-1]}")["status"] == "COMPLETED"
        assert payee.balance().available == f"{len(paid) / 100:.2f}"
        assert payer.items("payments") and payer.get("users/me")["id"] == payer.id
        assert platform.ops("/health/live").status_code == 200
        small_disk.empty()
        again = wait_for(lambda: (answer := payer.try_pay(payee, "0.01", key=refused_key)).status_code == 201
                         and answer, "service with the space", 30)
        paid.append(again.json()["id"])
    assert platform.process is process and process.poll() is None, "it was not started again"
    known = [payment["id"] for payment in all_payments(payer)]
    assert sorted(known) == sorted(paid), "each answered payment once, and no other"
    assert payer.reservations() == []


def all_payments(user):
    found, token = [], ""
    while True:
        page = user.get("payments", accountId=user.wallet(), pageSize=500, pageToken=token)
        found += items_of(page)
        token = page.get("nextPageToken", "")
        if not token:
            return found


def test_restore_and_backup_overwrite_nothing(at_rest, tmp_path):
    data, target = at_rest(), tmp_path / "target"
    target.mkdir()
    precious = target / "precious"
    precious.write_text("mine")
    for words in (("backup", "--data", data, "--to", target), ("restore", "--from", data, "--data", target)):
        refused = micropay(*words)
        assert refused.returncode == 2 and "(target_not_empty)" in refused.stderr
        assert str(target) in refused.stderr
        assert [path.name for path in target.iterdir()] == ["precious"] and precious.read_text() == "mine"
    precious.unlink()
    restored = micropay("restore", "--from", data, "--data", f"{target}/")
    assert restored.returncode == 0, "an empty folder may be taken"
    assert not list(tmp_path.glob("*.partial"))
    assert micropay("verify", "--data", target).returncode == 0


def test_a_backup_that_was_cut_short_is_replaced(at_rest, tmp_path):
    """What an interrupted one left behind has another name, is no obstacle, and gets into no other."""
    left = tmp_path / "backup.partial"
    left.mkdir()
    (left / "old").write_text("half")
    assert micropay("backup", "--data", at_rest(), "--to", tmp_path / "backup").returncode == 0
    assert not left.exists() and not (tmp_path / "backup" / "old").exists()
    assert micropay("verify", "--data", tmp_path / "backup").returncode == 0
