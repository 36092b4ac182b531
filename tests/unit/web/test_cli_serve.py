"""`affectscope serve` as a command: what it refuses, and a whole life of a server."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from affectscope.cli import app, main
from affectscope.errors import AffectScopeError
from affectscope.web.serving import listen

LINE = re.compile(r"(http://127\.0\.0\.1:\d+)/start#(\S+)")


def _refusal(monkeypatch: pytest.MonkeyPatch, *words: str) -> AffectScopeError:
    with pytest.raises(AffectScopeError) as refused:
        app(["serve", *words], standalone_mode=False)
    return refused.value


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "practice.example"])
def test_W32_other_machines_are_let_in_with_TLS_or_an_explicit_word_only(
    tmp_path: Path, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = _refusal(monkeypatch, str(tmp_path / "data"), "--host", host)
    assert refused.code == "E_SERVE"
    assert "--tls-cert" in refused.remedy
    assert "--insecure-remote" in refused.remedy
    assert not (tmp_path / "data").exists()


def test_W32_the_explicit_word_lets_it_go_on_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(tmp_path / "data")
    words = ("--host", "0.0.0.0", "--insecure-remote", "--keys", data)  # which ends it there
    assert "keys" in _refusal(monkeypatch, data, *words).sentence
    assert "WITHOUT TLS" in capsys.readouterr().err


def test_settings_that_do_not_fit_are_refused_in_plain_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, no_file = str(tmp_path / "data"), str(tmp_path / "none.pem")
    (tmp_path / "link").symlink_to(tmp_path / "data")
    for words in (
        ("--keys", data),
        ("--keys", f"{data}/keys"),
        ("--keys", str(tmp_path / "link" / "keys")),
        ("--tls-cert", no_file),
        ("--tls-cert", no_file, "--tls-key", no_file),
        ("--checkpoint", no_file),
    ):
        assert _refusal(monkeypatch, data, *words).code == "E_SERVE", words
    assert not (tmp_path / "data").exists()


def test_a_port_that_is_taken_is_told() -> None:
    with listen("127.0.0.1", 0) as taken:
        with pytest.raises(AffectScopeError) as refused, listen(*taken.getsockname()[:2]):
            pass
        assert refused.value.code == "E_SERVE"
        assert "--port" in refused.value.remedy
    with pytest.raises(AffectScopeError) as refused, listen("no.such.host.invalid", 0):
        pass
    assert refused.value.code == "E_SERVE"


def _start(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "affectscope", "serve", str(tmp_path / "data"), *words]
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "config")}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _first_link(server: subprocess.Popen[str]) -> tuple[str, str]:
    """Address and token, as they are printed."""
    assert server.stdout is not None
    for line in server.stdout:
        if found := LINE.search(line):
            return found[1], found[2]
    raise AssertionError(server.stderr.read() if server.stderr else "")


def test_W31_a_server_lives_from_its_first_start_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = _start(tmp_path, "--port", "0")
    try:
        address, token = _first_link(server)
        port = int(address.rpartition(":")[2])
        with pytest.raises(OSError), socket.create_connection((_own_address(), port), timeout=1):  # noqa: PT011
            pass  # bound to 127.0.0.1 only
        with httpx2.Client(base_url=address, headers={"Origin": address}) as client:
            asked = {"token": token, "name": "Canary Name", "password": "nine green bottles"}
            made: Any = client.post("/api/owner", json=asked)
            assert made.status_code == 201
            assert "server" not in made.headers
            assert client.get("/account").status_code == 200
        monkeypatch.setattr(sys, "argv", ["affectscope", "serve", str(tmp_path / "data")])
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        with pytest.raises(SystemExit, match="2"):
            main()
        assert "E_RUN_LOCKED" in capsys.readouterr().err
    finally:
        server.send_signal(signal.SIGINT)
        out, error = server.communicate(timeout=30)
    assert server.returncode == 0
    assert "has ended" in out
    assert "Traceback" not in error
    log = (tmp_path / "data" / "server.log").read_text()
    assert "the server ends" in log
    for secret in ("canary", token, "bottles"):
        assert secret not in (log + error).casefold()
    keys = list((tmp_path / "config" / "affectscope" / "keys").iterdir())
    assert [len(key.name) for key in keys] == [16]
    assert not (keys[0] / "first-start").exists()
    assert {entry.stat().st_mode & 0o077 for entry in (keys[0], tmp_path / "data")} == {0}


def _own_address() -> str:
    """An address of this machine that is not loopback; 127.0.0.2 is as good as one, where there is
    none: a socket bound to 127.0.0.1 does not answer there."""
    return "127.0.0.2"
