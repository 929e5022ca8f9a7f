"""What outsiders are told when something is wrong: what to do, and no path of the machine; the log has the whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx

from endpoint.writes.tokens import add_token
from kg.release import Releases
from tests.protocol.conftest import RunningServer, run_server

PLACE = "recognisable-place"
ROUTES = (
    "/",
    "/hubs",
    "/about",
    "/releases",
    "/releases.ttl",
    "/sparql",
    "/sparql?query=ASK%7B%7D",
    "/sparql?query=SELECT%20*%20%7B%3Fs%20%3Fp%20%3Fo%7D%20LIMIT%201",
    "/graph-store?default",
    "/graph-store?graph=https://w3id.org/chap/graph/ontology",
    "/doc/organisation/de-holm",
    "/doc/organisation/de-holm.ttl",
    "/timemap/doc/organisation/de-holm",
    "/graph/ontology",
    "/def",
    "/catalog",
    "/catalog.ttl",
    "/dataset/chap",
    "/dumps",
    "/dumps/chap",
    "/dumps/chap/latest/chap.nt",
    "/feed",
    "/feed/1",
    "/sitemap.xml",
    "/sitemap-1.xml",
    "/.well-known/void",
    "/api/v1/hubs",
    "/health/ready",
    "/metrics",
    "/static/none",
)


def look_everywhere(server: RunningServer, *, token: str, release: str = "") -> list[int]:
    """The statuses of all kinds of requests, none of which was told where the server keeps its files."""
    with server.client(headers={"Accept-Language": "en"}) as client:
        answers = [client.get(path) for path in ROUTES]
        if release:
            answers += [client.get(path, params={"release": release}) for path in ROUTES if "?" not in path]
        for body in ("<urn:a> <urn:b> .", '<urn:a> <urn:b> "c" .', "<x> a <y>"):
            answers.append(put(client, body, Authorization=f"Bearer {token}"))
        answers.append(client.post("/sparql", data={"update": "INSERT DATA { <urn:a> <urn:b> "}, headers=bearer(token)))
        answers.append(put(client, "", Authorization="Bearer a.b"))
    for answer in answers:
        told = f"{answer.headers} {answer.text}"
        assert PLACE not in told, (answer.url, told)
        assert "/tmp/" not in told, (answer.url, told)
        assert "site-packages" not in told, (answer.url, told)
    return [answer.status_code for answer in answers]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def put(client: httpx.Client, body: str, **headers: str) -> httpx.Response:
    url = "/graph-store?graph=https://w3id.org/chap/graph/written/discretion"
    return client.put(url, content=body, headers={"Content-Type": "text/turtle", **headers})


def test_no_answer_names_a_path_whatever_is_broken(releases_dir: Path, tmp_path: Path) -> None:
    root = tmp_path / PLACE / "releases"
    shutil.copytree(releases_dir, root, symlinks=True)
    tokens = tmp_path / PLACE / "tokens.json"
    token = add_token(tokens, name="boss", graphs=[], admin=True)
    release = Releases(root).current()
    assert release is not None
    # All that stands beside the store is garbage, but for what says that this is a release.
    for directory in (release.path, root / "feed"):
        for path in directory.rglob("*"):
            if path.is_file() and "store" not in path.parts and path.name not in ("manifest.json", "current"):
                path.write_bytes(b"\x1b]0;no\n" * 3)
    with run_server(root, tmp_path / "log", tokens_file=tokens) as server:
        statuses = look_everywhere(server, token=token, release=release.id)
        assert sum(status >= 500 for status in statuses) >= 5, statuses
        tokens.write_text("{", encoding="utf-8")
        assert 503 in look_everywhere(server, token=token)
        # The engine's own words, when it opens a store that is none.
        for path in release.store_path.iterdir():
            path.write_bytes(b"")
        (release.path / "manifest.json").write_bytes(b"{}")
        statuses = look_everywhere(server, token=token, release=release.id[:4])
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert f"{PLACE}/tokens.json" in log
    assert f"{PLACE}/releases/{release.id}" in log
    assert "\x1b" not in log


def test_store_that_cannot_be_opened_names_no_path(releases_dir: Path, tmp_path: Path) -> None:
    root = tmp_path / PLACE / "releases"
    shutil.copytree(releases_dir, root, symlinks=True)
    release = Releases(root).current()
    assert release is not None
    for path in release.store_path.iterdir():
        path.unlink() if path.name == "CURRENT" else path.write_bytes(b"")
    with run_server(root, tmp_path / "log") as server:
        statuses = look_everywhere(server, token="a.b")
    assert sum(status >= 500 for status in statuses) >= 3, statuses


def test_log_keeps_one_line_for_each_query_whatever_it_holds(releases_dir: Path, tmp_path: Path) -> None:
    odd = "ASK { ?s ?p '\u2028\u2029\u0085\u001b[2J\u202e' } # \n2026-11-30 00:00:00 ERROR forged\r\n"
    settings = {"slow_query_s": 0.000001, "log_query_text": "true"}
    with run_server(releases_dir, tmp_path / "log", **settings) as server, server.client() as client:
        # It is no query after all, and slow all the same.
        assert client.post("/sparql", data={"query": odd}).status_code == 400
        assert client.get("/id/%0aforged%1b[2J").status_code == 404
    log = (tmp_path / "log").read_text(encoding="utf-8")
    (line,) = [line for line in log.splitlines() if "forged" in line]
    assert "slow-query" in line
    assert all(line.isprintable() for line in log.split("\n"))
