"""Fixtures: `platform`, one for the session, shared by all; `fresh_platform(*settings)`, one that a test may
restart, kill or set up otherwise. Both must pass `micropay verify` at their end. The log of a platform that
runs while a test fails is shown with it.
"""
import os

import pytest

from platform_process import LocalPlatform, RemotePlatform


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        for running in LocalPlatform.running:
            report.sections.append((f"log of the platform on {running.data.name}", running.log_tail()))
    return report


@pytest.fixture(scope="session")
def platform(tmp_path_factory):
    if url := os.environ.get("MICROPAY_TEST_URL"):
        yield RemotePlatform(url, os.environ["MICROPAY_TEST_OPS_URL"], os.environ["MICROPAY_TEST_ADMIN"],
                             os.environ.get("MICROPAY_TEST_ENGINE_OPS_URL"))
        return
    local = LocalPlatform(tmp_path_factory.mktemp("platform") / "shared")
    try:
        yield local.start()
        local.stop()
        local.verify()
    finally:
        local.kill()


def platforms_in(folder):
    """A function that starts platforms, and the list of those that it started."""
    made = []

    def make(*settings, flags=(), data=None, environment=None):
        made.append(LocalPlatform(data or folder / f"data{len(made)}", *settings, flags=flags))
        made[-1].environment = environment or {}
        return made[-1].start()
    return make, made


def end_all(made):
    try:
        for local in made:
            if local.process is not None:
                local.stop()
                local.verify()
    finally:
        for local in made:
            local.kill()


def only_one_process():
    """What a test starts itself is no cluster, and is tested where there is none."""
    if "MICROPAY_TEST_URL" in os.environ:
        pytest.skip("starts platforms of its own, in one process each")


@pytest.fixture
def fresh_platform(tmp_path):
    only_one_process()
    make, made = platforms_in(tmp_path)
    yield make
    end_all(made)


@pytest.fixture(scope="module")
def module_platform(tmp_path_factory):
    """As fresh_platform, for a module whose tests share what they start."""
    only_one_process()
    make, made = platforms_in(tmp_path_factory.mktemp("module"))
    yield make
    end_all(made)


@pytest.fixture(scope="session")
def admin(platform):
    return platform.staff("ADMIN")


@pytest.fixture(scope="session")
def support(platform):
    return platform.staff("SUPPORT")


@pytest.fixture(scope="session")
def auditor(platform):
    return platform.staff("AUDITOR")
