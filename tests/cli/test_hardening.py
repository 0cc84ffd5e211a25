"""What a process keeps to itself, the addresses it takes, and folders that would be copied into themselves."""
import pathlib
import re
import socket
import subprocess

import pytest

from platform_process import BINARY, clean_environment, micropay

SECONDS = 30


def limits_of(process):
    text = pathlib.Path(f"/proc/{process.pid}/limits").read_text()
    return re.search(r"Max core file size\s+(\S+)\s+(\S+)", text).groups()


def test_no_core_dumps(fresh_platform):
    """Unless a setting asks for them."""
    process = fresh_platform().process
    assert limits_of(process) == ("0", "0")
    allowed = fresh_platform("process.core_dumps=on").process
    assert limits_of(allowed) != ("0", "0")


@pytest.mark.parametrize("words", [("--listen", "127.0.0.1:99999"), ("--listen", "127.0.0.1"), ("--ops", "::1:9080"),
                                   ("--listen", "[::1]:65536"), ("--set", "rpc.listen=0.0.0.0:70000"),
                                   ("--set", "config.listen=localhost:-1"), ("--set", "discovery.ops_listen=:x")])
def test_an_address_has_a_port_that_there_is(tmp_path, words):
    """99999 was listened on as 34463."""
    data = tmp_path / "data"
    refused = micropay("serve", "--data", data, *words, timeout=SECONDS)
    assert refused.returncode == 2 and "(invalid_setting)" in refused.stderr
    assert words[1].rpartition("=")[2] in refused.stderr and not (data / "log").exists()


def test_ipv6_literals(tmp_path):
    if not socket.has_ipv6 or not pathlib.Path("/proc/net/if_inet6").exists():
        pytest.skip("no IPv6 here")
    words = [str(BINARY), "serve", "--data", str(tmp_path / "data"), "--listen", "[::1]:0", "--ops", "[::1]:0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                               env=clean_environment())
    try:
        said = ""
        while "/health/ready" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        ops = re.search(r"http://(\[::1\]:\d+)\s+operations", said)[1]
        shown = micropay("top", "--ops", ops, "--once", "--json", timeout=SECONDS)
        assert shown.returncode == 0, shown.stderr
    finally:
        process.terminate()
        assert process.wait(SECONDS) == 0
    for bad in ("::1:9080", "[::1]", "127.0.0.1:99999", "127.0.0.1:0"):
        assert micropay("top", "--ops", bad, "--once", timeout=SECONDS).returncode == 2


@pytest.fixture(scope="module")
def backup(tmp_path_factory):
    """Of a folder that was used a little."""
    folder = tmp_path_factory.mktemp("apart")
    made = micropay("user", "create-admin", "--data", folder / "data", "--email", "admin@example.org",
                    "--password-stdin", stdin="correct horse battery\n")
    assert made.returncode == 0, made.stderr
    assert micropay("backup", "--data", folder / "data", "--to", folder / "backup").returncode == 0
    return folder / "backup"


def files_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_no_copy_into_itself(backup, tmp_path):
    """It copied itself, until names were too long; and DIR.partial, which an attempt replaces, may be the source."""
    before = files_of(backup)
    link = tmp_path / "link"
    link.symlink_to(backup)
    inside = [backup, backup / "sub", backup / "a" / "b", backup / "log" / "x", link / "sub", backup / ".." / "backup" / "y"]
    for target in inside:
        for words in (("restore", "--from", backup, "--data", target), ("backup", "--data", backup, "--to", target),
                      ("restore", "--from", link, "--data", target)):
            refused = micropay(*words, timeout=SECONDS)
            assert refused.returncode == 2 and "(target_in_source)" in refused.stderr, (words, refused)
    assert files_of(backup) == before


def test_the_source_is_not_taken_for_what_an_attempt_left(backup, tmp_path):
    source = tmp_path / "monday.partial"
    subprocess.run(["cp", "-r", backup, source], check=True)
    before = files_of(source)
    refused = micropay("restore", "--from", source, "--data", tmp_path / "monday", timeout=SECONDS)
    assert refused.returncode == 2 and "(target_in_source)" in refused.stderr
    assert files_of(source) == before


def test_a_backup_with_a_link_for_its_log_is_not_half_restored(backup, tmp_path):
    source = tmp_path / "linked"
    subprocess.run(["cp", "-r", backup, source], check=True)
    (source / "log").rename(tmp_path / "elsewhere")
    (source / "log").symlink_to(tmp_path / "elsewhere")
    refused = micropay("restore", "--from", source, "--data", tmp_path / "restored", timeout=SECONDS)
    assert refused.returncode == 1 and "copy_failed" in refused.stderr
    assert not (tmp_path / "restored").exists()
