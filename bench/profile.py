#!/usr/bin/env python3
"""Where a payment's CPU goes: samples a platform under the load of the row `payments`, prints microseconds by
thread and step, and draws the stacks (tools/flame_graph.py).

    bench/profile.py [OUT.svg]        make flame writes docs/flame.svg

Needs perf (linux-perf) and the right to use it. Debian's libraries keep no frame pointers: what they do below
a function of ours is often found only as the library's own, and is put under the library's step.
"""

import collections
import os
import subprocess
import sys
import tempfile
import time

from common import ROOT, SECONDS, BenchFailed
from generators import Load
from money import Prepared
from rows_payments import warm

sys.path.insert(0, str(ROOT / "tools"))
import flame_graph  # noqa: E402

SAMPLES_A_SECOND = 2_000
# The innermost function that one of these names begins with says the step; the first fitting line wins.
STEPS = {
    "io": [
        ("send", ("__send", "__libc_send", "Connection::flush")),
        ("receive", ("__libc_recv", "recv", "Connection::readable", "epoll_", "__epoll")),
        ("token, limits", ("gateway::authenticate", "TokenAuthenticator::", "gateway::RateLimits")),
        (
            "parse, validate",
            ("parse_head", "gateway::read_request", "contract::parse_json", "contract::validate"),
        ),
        ("owner", ("Engine::authorize",)),
        ("hand over", ("gateway::LocalBackend::submit", "Engine::submit", "Engine::Impl::submit")),
        ("answer as JSON", ("gateway::command_response", "contract::append_json", "contract::Writer")),
    ],
    "engine": [
        ("compress", ("[libzstd]", "ZSTD_")),
        ("pack", ("IdPacker", "pack_tick", "append_row", "TickEncoder::encode", "Host::finish_tick")),
        ("write, fsync", ("TickLog::append",)),
        ("look up rows", ("EmbeddedStoreImpl::get", "[libsqlite3]", "RowCache::find")),
        ("keep rows, events", ("RowCache::put", "RecentEvents::add", "EmbeddedStoreImpl::commit")),
        ("notifications", ("Engine::Impl::follow",)),
        ("answer", ("Engine::Impl::settle", "Responder::", "Engine::Impl::finish")),
        ("handlers", ("Engine::Impl::run_tick",)),
    ],
    "applier": [
        ("audit trail", ("[libsodium]", "audit::")),
        ("SQLite", ("[libsqlite3]", "sqlite3", "__libc_pwrite", "__libc_pread")),
        ("projections", ("Applier::project", "ServicesProjector::")),
        ("rows to columns", ("Applier::write", "SqlTables::", "RowColumns::")),
        ("cache", ("RowCache::",)),
        ("free", ("std::_Sp_counted", "PackedTick")),
    ],
}
# Of samples whose callers are lost.
PARTS = [
    ("memory", ("[libjemalloc]", "operator new", "operator delete", "__memmove", "__memset", "__memcmp")),
    ("messages", ("[libprotobuf]", "google::protobuf::")),
    ("waiting, waking", ("__schedule", "schedule", "futex", "__futex", "pthread_", "__GI___pthread")),
]


def step_of(thread, names):
    for steps in (STEPS[thread], PARTS):
        for name in reversed(names):
            for step, beginnings in steps:
                if name.startswith(beginnings):
                    return step if steps is not PARTS else f"{step}, of no known caller"
    return "else"


def sample(platform, seconds, file):
    """The stacks of the platform's threads, and how many payments went meanwhile."""
    count = 'http_server_requests_total', 'status="201"'
    before = platform.metric(*count)
    command = ["perf", "record", "-e", "cpu-clock", "-F", str(SAMPLES_A_SECOND), "-g", "-o", file]
    command += ["-p", str(platform.process.pid), "--", "sleep", str(seconds)]
    ran = subprocess.run(command, capture_output=True, text=True)
    paid = platform.metric(*count) - before
    if ran.returncode != 0:
        raise BenchFailed(f"perf record: {ran.stderr}")
    return paid


def read(file):
    script = subprocess.Popen(
        ["perf", "script", "-F", "comm,ip,sym,dso", "-i", file],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    found = list(flame_graph.stacks(script.stdout))
    script.wait()
    return found


def tell(stacks, paid):
    us = 1e6 / SAMPLES_A_SECOND / paid
    threads = collections.Counter(thread for thread, _ in stacks)
    print(f"{paid:,.0f} payments; {len(stacks) * us:.0f} µs of CPU a payment")
    for thread, count in threads.most_common(4):
        print(f"\n{thread:<10} {count * us:>6.1f} µs")
        if thread not in STEPS:
            continue
        steps = collections.Counter(step_of(thread, names) for of, names in stacks if of == thread)
        for step, samples in steps.most_common():
            print(f"  {step:<58} {samples * us:>6.1f}")


def main():
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        wallets = Prepared(os.environ.get("BENCH_PREPARED", f"{folder}/prepared"), folder)
        bench = type("Bench", (), {"wallets": wallets})
        with wallets.platform("profile") as platform:
            warm(bench, platform)
            paying = Load(platform.port, seconds=SECONDS + 3, pay=wallets.wallets_file)
            try:
                time.sleep(1)
                paid = sample(platform, SECONDS, f"{folder}/perf.data")
                paying.answers()
            finally:
                paying.stop()
        stacks = read(f"{folder}/perf.data")
    tell(stacks, paid)
    if len(sys.argv) > 1:
        title = f"CPU of {paid:,.0f} payments over HTTP, 64 connections, by thread"
        with open(sys.argv[1], "w", encoding="utf-8") as out:
            out.write(flame_graph.draw(flame_graph.tree(stacks), title))


if __name__ == "__main__":
    main()
