"""`micropay top` on a running platform: a screen, JSON for machines, a terminal that is as it was afterwards,
and where nobody listens."""
import json
import os
import pty
import signal
import subprocess
import termios
import time

from platform_process import BINARY, clean_environment, free_port, micropay

SECONDS = 30


def top(platform, *options):
    return micropay("top", "--ops", platform.ops_url.removeprefix("http://"), *options, timeout=SECONDS)


def test_figures_move_with_payments(fresh_platform):
    platform = fresh_platform()
    ada, bob = platform.register("ada"), platform.register("bob")
    ada.top_up("100.00")
    words = [BINARY, "top", "--ops", platform.ops_url.removeprefix("http://"), "--json"]
    watching = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=clean_environment())
    try:
        first = json.loads(watching.stdout.readline())  # from now on payments fall between two readings
        deadline = time.monotonic() + SECONDS
        figures = first
        while not (figures["paymentsPerSecond"] > 0 and figures["eventsPerSecond"] > 0):
            assert time.monotonic() < deadline, figures
            ada.pay(bob, "1.00")
            figures = json.loads(watching.stdout.readline())
    finally:
        watching.send_signal(signal.SIGINT)
        assert watching.wait(SECONDS) == 0
    assert first["paymentsPerSecond"] == 0 and first["memoryBytes"] > 1e6 and first["uptimeSeconds"] >= 0
    assert figures["paymentP99Seconds"] >= figures["paymentP50Seconds"] > 0
    assert figures["tickCommitSeconds"] >= figures["tickSyncSeconds"] > 0
    assert figures["ticksPerSecond"] > 0 and figures["tickInputs"] > 0
    assert {"audit", "payment"} <= set(figures["projectionLagTicks"])


def test_once_prints_one_plain_screen(platform):
    shown = top(platform, "--once")
    assert shown.returncode == 0 and shown.stderr == ""
    assert "\033" not in shown.stdout and "payments" in shown.stdout and "projections" in shown.stdout
    assert len(top(platform, "--once", "--json").stdout.splitlines()) == 1


def read_until(terminal, wanted):
    seen, deadline = b"", time.monotonic() + SECONDS
    while wanted not in seen:
        assert time.monotonic() < deadline, seen
        seen += os.read(terminal, 65536)
    return seen


def test_a_terminal_is_put_back(platform):
    for end in ("q", signal.SIGINT):
        ours, theirs = pty.openpty()
        before = termios.tcgetattr(theirs)
        words = [BINARY, "top", "--ops", platform.ops_url.removeprefix("http://")]
        showing = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=clean_environment())
        try:
            read_until(ours, b"projections")
            assert termios.tcgetattr(theirs) != before
            if end == "q":
                os.write(ours, b"q")
            else:
                showing.send_signal(end)
            read_until(ours, b"\033[?1049l")
            assert showing.wait(SECONDS) == 0
            assert termios.tcgetattr(theirs) == before
        finally:
            showing.kill()
            showing.wait()
            os.close(ours)
            os.close(theirs)


def test_where_nobody_listens(platform):
    nobody = micropay("top", "--ops", f"127.0.0.1:{free_port()}", "--once")
    assert nobody.returncode == 2 and "--ops" in nobody.stderr
    # The public port answers, but it is not the operations port.
    public = micropay("top", "--ops", platform.url.removeprefix("http://"), "--once")
    assert public.returncode == 2
    assert micropay("top", "--ops", "nonsense").returncode == 2
