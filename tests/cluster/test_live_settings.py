"""A platform whose settings come from the config service: at start, live, and when that service is away."""
import stat
import time

CHANGE_SECONDS = 30


def eventually(question, expected):
    deadline = time.monotonic() + CHANGE_SECONDS
    while (answer := question()) != expected:
        assert time.monotonic() < deadline, f"{answer!r} instead of {expected!r}"
        time.sleep(0.05)


def metric(platform, name):
    lines = [line for line in platform.ops("/metrics").text.splitlines() if line.startswith(name + " ")]
    return float(lines[0].split()[1]) if lines else None


def limit(user):
    return user.request("GET", "payments").headers["ratelimit-limit"]


def test_live_settings_and_the_last_known_ones(edge, fresh_platform, tmp_path):
    folder, cache = tmp_path / "settings", tmp_path / "cache.json"
    folder.mkdir()
    (folder / "application.yml").write_text("gateway.rate: {read: 1000/s burst 901, payment: 20/s}\n")
    server = edge("config", f"config.directory={folder}", "config.watch_interval=100ms")
    platform = fresh_platform("gateway.rate_limits=on", "gateway.rate.payment=20/s burst 55",
                              f"config_client.uris={server.url}", f"config_client.cache={cache}",
                              "config_client.interval=100ms", "config_client.patience=1s")
    ada = platform.register("ada")
    assert limit(ada) == "901"
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600
    # A live setting, one that is given here and stronger, one that needs a restart, one that is nobody's.
    (folder / "micropay.yml").write_text("gateway.rate: {read: 1000/s burst 902, payment: 20/s burst 77}\n"
                                         "fraud.mode: shadow\nengine.max_queued: 999\nspring.x: y\n")
    eventually(lambda: limit(ada), "902")
    eventually(lambda: metric(platform, "micropay_settings_restart_needed"), 1)
    bob = platform.register("bob")
    answer = ada.request("POST", "payments", ada.payment_body(bob, "1.00"))
    assert answer.headers["ratelimit-limit"] == "55"
    # The service is away: what is in force stays, a restart takes the copy, and the process says so.
    server.kill()
    assert limit(ada) == "902"
    platform.restart()
    assert metric(platform, "micropay_config_client_stale") == 1
    assert limit(ada) == "902"
    assert "config_client.last_known" in platform.log_tail(200)
    # It is back with other settings.
    (folder / "micropay.yml").write_text("gateway.rate: {read: 1000/s burst 903}\n")
    server.start()
    eventually(lambda: limit(ada), "903")
    assert metric(platform, "micropay_config_client_stale") == 0
