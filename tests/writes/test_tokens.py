"""Who may write: tokens on the command line and over HTTP."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import httpx
import pytest

from endpoint.writes.tokens import add_token, find_token, load_tokens, revoke_token
from kg.errors import SettingsError
from tests.assertions import assert_problem
from tests.writes.conftest import TURTLE, WRITTEN, Writable, comment, run_writable

URL = f"/graph-store?graph={WRITTEN}holm-token"
TOKEN = re.compile(r"[0-9a-f]{8}\.[A-Za-z0-9_-]{43}")


def kg(*arguments: str, tokens_path: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ENDPOINT_TOKENS_FILE": str(tokens_path)}
    command = [sys.executable, "-m", "kg", "token", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_token_is_made_shown_once_listed_and_revoked(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    made = kg("add", "anna", "--graphs", "holm-", "cyber", "--update", "--expires", "2099-12-31", tokens_path=path)
    assert made.returncode == 0, made.stderr
    text = made.stdout.strip()
    assert TOKEN.fullmatch(text)
    assert path.stat().st_mode & 0o777 == 0o600
    assert text.partition(".")[2] not in path.read_text(encoding="utf-8")
    (token,) = load_tokens(path)
    assert token.graphs == (WRITTEN + "holm-", WRITTEN + "cyber")
    assert token.expires == "2099-12-31T23:59:59+00:00"
    assert find_token([token], text) == token
    listed = kg("list", tokens_path=path)
    assert "anna" in listed.stdout
    assert text.partition(".")[2] not in listed.stdout
    assert kg("add", "anna", "--admin", tokens_path=path).returncode == 2
    assert kg("revoke", "anna", tokens_path=path).returncode == 0
    assert load_tokens(path) == ()
    assert kg("revoke", "anna", tokens_path=path).returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "anna"),
        ("add", "An na", "--admin"),
        ("add", "anna", "--graphs", "https://w3id.org/chap/graph/ontology"),
        ("add", "anna", "--graphs", "../"),
        ("add", "anna", "--admin", "--expires", "tomorrow"),
    ],
)
def test_token_without_sense_is_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = kg(*arguments, tokens_path=tmp_path / "tokens.json")
    assert done.returncode == 2
    assert done.stderr
    assert not (tmp_path / "tokens.json").exists()


def test_file_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    add_token(path, name="anna", graphs=["a"])
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        load_tokens(path)


@pytest.mark.parametrize(
    "text", ["", ".", "x", "{id}", "{id}.", "{id}.wrong", ".{secret}", "{id}.{secret}x", "00000000.{secret}"]
)
def test_what_is_no_token_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tokens.json"
    token_id, _, secret = add_token(path, name="anna", graphs=["a"]).partition(".")
    assert find_token(load_tokens(path), text.replace("{id}", token_id).replace("{secret}", secret)) is None


def put(client: httpx.Client, **headers: str) -> httpx.Response:
    return client.put(URL, content=comment("token"), headers={**TURTLE, **headers})


def test_missing_and_malformed_tokens_are_asked_for(writable: Writable) -> None:
    with writable.server.client() as client:
        for header in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}, {"Authorization": ""}):
            response = put(client, **header)
            assert_problem(response, 401, "token-missing")
            assert response.headers["www-authenticate"] == 'Bearer realm="CHAP"'


def test_token_reaches_as_far_as_its_rights(writable: Writable) -> None:
    other = f"/graph-store?graph={WRITTEN}other"
    with writable.client() as client:
        for method in ("PUT", "POST", "DELETE"):
            response = client.request(method, other, content=comment("x"), headers=TURTLE)
            problem = assert_problem(response, 403, "write-forbidden")
            assert "holm-" in problem["detail"]
            assert 'error="insufficient_scope"' in response.headers["www-authenticate"]
    with writable.client(writable.admin) as client:
        assert client.put(other, content=comment("x"), headers=TURTLE).status_code in (201, 204)
        assert client.delete(other).status_code == 204


def test_new_revoked_and_expired_tokens_count_at_once(writable: Writable) -> None:
    path = writable.tokens_path
    token = add_token(path, name="guest", graphs=["holm-"])
    with writable.client(token) as client:
        assert put(client).status_code in (201, 204)
        refused = client.post("/sparql", data={"update": f"CLEAR GRAPH <{WRITTEN}holm-token>"})
        assert "--update" in assert_problem(refused, 403, "write-forbidden")["detail"]
        revoke_token(path, "guest")
        assert_problem(put(client), 401, "token-wrong")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    expired = add_token(path, name="late", graphs=["holm-"], expires=yesterday)
    with writable.client(expired) as client:
        assert "expired" in assert_problem(put(client), 401, "token-expired")["detail"]


def test_wrong_tokens_are_slowed_down_and_lock_out_no_right_one(releases_dir: Path, tmp_path: Path) -> None:
    with run_writable(releases_dir, tmp_path, trusted_proxies="127.0.0.1") as running:
        good, token_id = running.holm, running.holm.partition(".")[0]
        # Any address of one IPv6 network is the same client.
        places = ({"X-Forwarded-For": f"2001:db8:1:1::{number:x}"} for number in count(1))
        with running.server.client() as client:
            wrong = 0
            while (
                slowed := put(client, **next(places), Authorization=f"Bearer {wrong:08x}.{wrong}")
            ).status_code == 401:
                assert_problem(slowed, 401, "token-wrong")
                wrong += 1
            assert_problem(slowed, 429, "too-many-wrong-tokens")
            # Ten at once, and one more every ten seconds.
            assert 10 <= wrong <= 12
            assert 1 <= int(slowed.headers["retry-after"]) <= 20
            assert put(client, **next(places), Authorization=f"Bearer {good}").status_code == 201
            # From everywhere, but for one id.
            networks = ({"X-Forwarded-For": f"198.51.100.{number}"} for number in count(1))
            guessed = 0
            while put(client, **next(networks), Authorization=f"Bearer {token_id}.{guessed}").status_code == 401:
                guessed += 1
            assert 10 <= guessed <= 12
            assert put(client, **next(networks), Authorization=f"Bearer {good}").status_code == 204
            assert "proxy" not in client.get("/health/ready").json()
            metrics = client.get("/metrics").text
    assert f'chap_writes_refused_total{{reason="wrong"}} {wrong + guessed}.0' in metrics
    assert 'chap_writes_refused_total{reason="throttled"} 2.0' in metrics


def test_proxy_that_nobody_told_of_is_warned_of_once(releases_dir: Path, tmp_path: Path) -> None:
    with run_writable(releases_dir, tmp_path) as running, running.server.client() as client:
        assert "proxy" not in client.get("/health/ready").json()
        for header in ("Forwarded", "X-Forwarded-For"):
            client.get("/", headers={header: "for=192.0.2.1"})
        assert "ENDPOINT_TRUSTED_PROXIES" in client.get("/health/ready").json()["proxy"]
        log = running.server.log_path.read_text(encoding="utf-8")
    assert log.count("ENDPOINT_TRUSTED_PROXIES") == 1


def test_tokens_file_that_is_broken_lets_nobody_write(releases_dir: Path, tmp_path: Path) -> None:
    with run_writable(releases_dir, tmp_path) as running, running.client() as client:
        running.tokens_path.write_text(json.dumps({"tokens": "?"}), encoding="utf-8")
        assert_problem(put(client), 503, "tokens-unusable")
