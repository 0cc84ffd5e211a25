"""Our config service with Spring's own client: settings by profile, cipher values, credentials, refresh."""
import secrets
import subprocess
import time

import httpx
import pytest

from java_client import JavaClient

OPERATOR = ("operator", "operate")
CLIENT = ("config", "geheim")


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    (tmp_path / "keys").write_text(secrets.token_hex(32) + "\n")
    git(folder, "init", "-q", "-b", "main")
    return folder


def git(folder, *arguments):
    who = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True)


def commit(folder, **files):
    for name, text in files.items():
        (folder / name.replace("__", "-")).with_suffix(".yml").write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "change")


def serve(edge, repository):
    return edge("config", f"config.git={repository}", f"config.password={CLIENT[1]}",
                f"config.operator_password={OPERATOR[1]}", f"config.key_file={repository.parent}/keys",
                "config.watch_interval=100ms")


def spring(url, profile, *more):
    return JavaClient("spring", "--spring.application.name=shop", f"--spring.profiles.active={profile}",
                      f"--spring.config.import=configserver:{url}", "--eureka.client.enabled=false",
                      f"--spring.cloud.config.username={CLIENT[0]}",
                      f"--spring.cloud.config.password={CLIENT[1]}",
                      "--spring.cloud.config.fail-fast=true", "--logging.level.root=WARN", *more)


def test_profiles_ciphers_and_refresh(edge, repository):
    commit(repository, application="greeting: hello\nshared: yes please\nlist: [a, b]\n",
           shop="greeting: hi\nport: 7\n")
    server = serve(edge, repository)
    sealed = httpx.post(f"{server.url}/encrypt", auth=OPERATOR, content="open sesame").text
    commit(repository, shop__eu=f"secret: '{{cipher}}{sealed}'\nbroken: '{{cipher}}AAAA'\n"
                                "title: ${greeting} ${port}\n")
    with spring(server.url, "eu") as client:
        assert client.ask("get greeting") == "hi"
        assert client.ask("get shared") == "yes please"
        assert client.ask("get list[1]") == "b"
        assert client.ask("get secret") == "open sesame"
        assert client.ask("get broken") == "(none)"
        assert client.ask("get invalid.broken") == "<n/a>"
        assert client.ask("get title") == "hi 7"
        commit(repository, shop="greeting: hallo\nport: 7\n")
        assert "greeting" in client.ask("refresh")
        assert client.ask("get greeting") == "hallo"
    deadline = time.monotonic() + 10
    while "micropay_config_changes_total 0" in server.metrics():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_label_and_another_profile(edge, repository):
    commit(repository, shop="greeting: old\n")
    git(repository, "tag", "v1")
    commit(repository, shop="greeting: new\n---\nspring.config.activate.on-profile: us\nonly: here\n")
    server = serve(edge, repository)
    with spring(server.url, "us", "--spring.cloud.config.label=v1") as client:
        assert client.ask("get greeting") == "old"
        assert client.ask("get only") == "(none)"
    with spring(server.url, "us") as client:
        assert client.ask("get only") == "here"


def test_a_wrong_password_is_refused(edge, repository):
    commit(repository, shop="greeting: old\n")
    server = serve(edge, repository)
    with pytest.raises(AssertionError):
        spring(server.url, "eu", "--spring.cloud.config.password=wrong")
    assert "micropay_basic_refused_total 0" not in server.metrics()
