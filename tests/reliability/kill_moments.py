"""When a platform is killed, and what it is doing just then. Each function is called while payers pay, brings
the platform to its moment, and leaves it dead by kill -9. What it waits for has a deadline; when the moment
does not come (too little was written for a checkpoint), it kills all the same.
"""
import sqlite3
import subprocess
import time

from platform_client import new_uuid
from platform_process import BINARY, clean_environment

MOMENT_SECONDS = 5
# Columns that no payment of these tests fills, so that tables without them are what an older contract made.
NEWER_COLUMNS = {"payment_payment": ("refunded_minor", "refunding_minor", "refunds")}


def until(condition, seconds=MOMENT_SECONDS):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.0005)


def soon(random, most):
    """A random part of a moment."""
    time.sleep(random.uniform(0, most))


def under_load(campaign):
    soon(campaign.random, 0.6)
    campaign.platform.kill()


def at_rotation(campaign):
    """When the log went on to its next file."""
    log = campaign.platform.data / "log"
    newest = max(log.iterdir(), default=None)
    until(lambda: max(log.iterdir(), default=None) != newest)
    soon(campaign.random, 0.02)
    campaign.platform.kill()


def at_checkpoint(campaign):
    """When SQLite's write-ahead log is being copied into state.db, which nothing else writes to."""
    tables = campaign.platform.data / "state.db"
    before = tables.stat().st_mtime_ns
    until(lambda: tables.stat().st_mtime_ns != before)
    soon(campaign.random, 0.004)
    campaign.platform.kill()


def in_start(campaign):
    campaign.platform.kill()
    campaign.pause()
    kill_while_it_starts(campaign)


def kill_while_it_starts(campaign):
    campaign.platform.launch()
    soon(campaign.random, campaign.start_seconds * 1.2)
    campaign.platform.kill()


def in_schema_change(campaign):
    """It starts over tables of an older contract: without some columns and without a table."""
    campaign.platform.kill()
    campaign.pause()
    with sqlite3.connect(campaign.platform.data / "state.db") as tables:
        for table, columns in NEWER_COLUMNS.items():
            present = {row[1] for row in tables.execute(f"PRAGMA table_info({table})")}
            for column in present.intersection(columns):
                tables.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        tables.execute("DROP TABLE IF EXISTS account_beneficiary")
        tables.execute("UPDATE micropay_note SET value = 1 WHERE name = 'schema'")
    tables.close()
    kill_while_it_starts(campaign)


def in_rebuild(campaign):
    """It starts without tables, or without those of one service's projections."""
    campaign.platform.kill()
    campaign.pause()
    if campaign.random.random() < 0.5:
        for file in campaign.platform.data.glob("state.db*"):
            file.unlink()
    else:
        service = campaign.random.choice(("audit", "payment", "transaction"))
        with sqlite3.connect(campaign.platform.data / "state.db") as tables:
            tables.execute("DELETE FROM micropay_projection WHERE service = ?", (service,))
        tables.close()
    kill_while_it_starts(campaign)


def in_backup(campaign):
    """While `micropay backup` copies it. What is left of the backup is judged by the campaign."""
    target = campaign.folder / f"backup-{new_uuid()}"
    words = [str(BINARY), "backup", "--data", str(campaign.platform.data), "--to", str(target)]
    command = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env=clean_environment())
    until(lambda: command.poll() is not None or any(campaign.folder.glob(target.name + "*")))
    soon(campaign.random, campaign.random.choice((0.06, 0.6)))
    campaign.platform.kill()
    campaign.judge_backup(target, command.wait(60))


MOMENTS = {moment.__name__: moment for moment in
           (under_load, at_rotation, at_checkpoint, in_start, in_schema_change, in_rebuild, in_backup)}
