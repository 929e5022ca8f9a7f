"""Datetime negotiation and time maps, held to the requests and answers that RFC 7089 shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kg.release import Release, Releases
from kg.retention import prune_releases
from tests.assertions import assert_problem
from tests.harvest.memento_data import TIMES, Link, parse_links, publish, publish_history
from tests.protocol.conftest import RunningServer, run_server
from tests.protocol.processes import wait_until

DOCUMENT = "/doc/organisation/de-a"
TURTLE = {"Accept": "text/turtle"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("memento") / "releases"


@pytest.fixture(scope="module")
def releases(root: Path) -> list[Release]:
    return publish_history(root)


@pytest.fixture(scope="module")
def server(root: Path, releases: list[Release], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    assert releases
    with run_server(root, tmp_path_factory.mktemp("memento-log") / "log") as running:
        yield running


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def ask(client: httpx.Client, when: str, path: str = DOCUMENT, **options: str) -> httpx.Response:
    return client.get(path, headers={"Accept-Datetime": when, **TURTLE, **options})


def find(links: list[Link], relation: str) -> Link:
    (found,) = [each for each in links if relation in each.relations]
    return found


def links_of(response: httpx.Response) -> list[Link]:
    return parse_links(response.headers["link"])


def vary_of(response: httpx.Response) -> set[str]:
    return {each.strip().lower() for each in response.headers.get("vary", "").split(",")}


def memento_of(releases: list[Release], publication: int) -> str:
    """The address of the memento that a line of the journal makes."""
    if publication == 6:
        return f"{DOCUMENT}?release={releases[0].id}&publication=6"
    return f"{DOCUMENT}?release={releases[publication - 1].id}"


def test_original_says_that_it_is_its_own_timegate(client: httpx.Client, server: RunningServer) -> None:
    response = client.get(DOCUMENT, headers=TURTLE)
    assert response.status_code == 200
    assert "accept-datetime" in vary_of(response)
    assert "memento-datetime" not in response.headers
    links = links_of(response)
    assert find(links, "original") == find(links, "timegate")
    assert find(links, "original").target == server.url + DOCUMENT
    timemap = find(links, "timemap")
    assert timemap.target == f"{server.url}/timemap{DOCUMENT}"
    assert timemap.parameters["type"] == "application/link-format"
    assert (timemap.parameters["from"], timemap.parameters["until"]) == (TIMES[0], TIMES[5])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_timegate_redirects_to_the_memento(
    client: httpx.Client, server: RunningServer, releases: list[Release], method: str
) -> None:
    headers = {"Accept-Datetime": "Tue, 11 Sep 2001 20:40:00 GMT", **TURTLE}
    response = client.request(method, DOCUMENT, headers=headers)
    assert response.status_code == 302
    assert response.content == b""
    assert response.headers["location"] == memento_of(releases, 3)
    assert "accept-datetime" in vary_of(response)
    assert "memento-datetime" not in response.headers
    links = links_of(response)
    assert find(links, "original").target == find(links, "timegate").target == server.url + DOCUMENT
    assert find(links, "timemap").target == f"{server.url}/timemap{DOCUMENT}"
    assert find(links, "first").parameters["datetime"] == TIMES[0]
    assert find(links, "last").parameters["datetime"] == TIMES[5]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_memento_says_its_time_and_its_neighbours(
    client: httpx.Client, server: RunningServer, releases: list[Release], method: str
) -> None:
    # Accept-Datetime means nothing to a memento (section 4.5.7: its address is fixed).
    headers = {"Accept-Datetime": TIMES[0], **TURTLE}
    response = client.request(method, memento_of(releases, 3), headers=headers)
    assert response.status_code == 200
    assert response.headers["memento-datetime"] == TIMES[2]
    assert "accept-datetime" not in vary_of(response)
    links = links_of(response)
    assert find(links, "original").target == find(links, "timegate").target == server.url + DOCUMENT
    assert find(links, "timemap").target == f"{server.url}/timemap{DOCUMENT}"
    places = {"first": 1, "prev": 2, "next": 4, "last": 6}
    for relation, publication in places.items():
        link = find(links, relation)
        assert link.relations == [relation, "memento"]
        assert link.target == server.url + memento_of(releases, publication)
        assert link.parameters["datetime"] == TIMES[publication - 1]
    (here,) = [each for each in links if each.relations == ["memento"]]
    assert here.target == server.url + memento_of(releases, 3)
    assert here.parameters["datetime"] == TIMES[2]


def test_ends_of_the_history_are_named_once_with_all_that_they_are(
    client: httpx.Client, releases: list[Release]
) -> None:
    first = links_of(client.get(memento_of(releases, 1), headers=TURTLE))
    assert [each.relations for each in first if "memento" in each.relations] == [
        ["first", "memento"],
        ["next", "memento"],
        ["last", "memento"],
    ]
    second = links_of(client.get(memento_of(releases, 2), headers=TURTLE))
    assert find(second, "first").relations == ["first", "prev", "memento"]
    last = links_of(client.get(memento_of(releases, 6), headers=TURTLE))
    assert find(last, "last").relations == ["last", "memento"]
    assert not [each for each in last if "next" in each.relations]


@pytest.mark.parametrize(
    ("when", "publication"),
    [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 1),
        ("Fri, 15 Sep 2000 11:28:25 GMT", 1),
        (TIMES[0], 1),
        ("Tue, 11 Sep 2001 20:30:50 GMT", 1),
        (TIMES[1], 2),
        ("Tue, 11 Sep 2001 20:35:00 GMT", 2),
        (TIMES[2], 3),
        (TIMES[4], 5),
        ("Wed, 20 Jan 2010 09:34:32 GMT", 5),
        (TIMES[5], 6),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 6),
        # The RFC's own example has the wrong day of the week; only the date counts.
        ("Tue, 15 Sep 2000 11:28:26 GMT", 1),
    ],
)
def test_timegate_chooses_what_was_current_then(
    client: httpx.Client, releases: list[Release], when: str, publication: int
) -> None:
    chosen = ask(client, when)
    assert chosen.headers["location"] == memento_of(releases, publication)
    memento = client.get(chosen.headers["location"], headers=TURTLE)
    assert memento.headers["memento-datetime"] == TIMES[publication - 1]
    assert f'"A{1 if publication == 6 else publication}"@en' in memento.text


@pytest.mark.parametrize(
    "when",
    [
        "",
        "yesterday",
        "2001-09-11T20:35:00Z",
        "Tuesday, 11-Sep-01 20:35:00 GMT",
        "Tue Sep 11 20:35:00 2001",
        "Tue, 11 Sep 2001 20:35:00",
        "Tue, 11 Sep 2001 20:35:00 +0000",
        "Tue, 11 Sep 2001 22:35:00 CEST",
        "Fri, 30 Feb 2001 20:35:00 GMT",
        "Tue, 11 Sep 2001 25:00:00 GMT",
        "Tue, 11 Sep 2001 20:35:00 GMT, Tue, 11 Sep 2001 20:35:00 GMT",
    ],
)
def test_datetime_of_another_form_is_refused(client: httpx.Client, releases: list[Release], when: str) -> None:
    problem = assert_problem(ask(client, when), 400, "bad-datetime")
    assert "Thu, 31 May 2007 20:35:00 GMT" in problem["detail"]
    # A memento does not read it, so it cannot be wrong there.
    assert ask(client, when, memento_of(releases, 1)).status_code == 200


def test_two_datetimes_are_refused(client: httpx.Client) -> None:
    twice = [("Accept-Datetime", TIMES[0]), ("Accept-Datetime", TIMES[1]), ("Accept", "text/turtle")]
    assert_problem(client.get(DOCUMENT, headers=twice), 400, "bad-datetime")


def test_timemap_lists_every_memento(client: httpx.Client, server: RunningServer, releases: list[Release]) -> None:
    response = client.get(f"/timemap{DOCUMENT}")
    assert response.headers["content-type"] == "application/link-format"
    assert "accept" in vary_of(response)
    links = parse_links(response.text)
    assert find(links, "original").target == find(links, "timegate").target == server.url + DOCUMENT
    own = find(links, "self")
    assert own.target == f"{server.url}/timemap{DOCUMENT}"
    assert own.parameters["type"] == "application/link-format"
    assert (own.parameters["from"], own.parameters["until"]) == (TIMES[0], TIMES[5])
    mementos = [each for each in links if "memento" in each.relations]
    assert [each.parameters["datetime"] for each in mementos] == list(TIMES)
    assert [each.target for each in mementos] == [server.url + memento_of(releases, n) for n in range(1, 7)]
    assert mementos[0].relations == ["first", "memento"]
    assert mementos[-1].relations == ["last", "memento"]
    for each in mementos:
        answer = client.get(each.target, headers=TURTLE)
        assert answer.status_code == 200
        assert answer.headers["memento-datetime"] == each.parameters["datetime"]
    # Nothing but links, separated by commas: a reader of RFC 6690 takes it.
    assert response.text == ",\n".join(line.rstrip(",") for line in response.text.splitlines()) + "\n"


def test_timemap_comes_as_json(client: httpx.Client, server: RunningServer, releases: list[Release]) -> None:
    response = client.get(f"/timemap{DOCUMENT}", headers={"Accept": "application/json"})
    assert response.headers["content-type"] == "application/json"
    document = response.json()
    assert document["original_uri"] == document["timegate_uri"] == server.url + DOCUMENT
    listed = document["mementos"]["list"]
    assert [each["uri"] for each in listed] == [server.url + memento_of(releases, n) for n in range(1, 7)]
    assert listed[0] == document["mementos"]["first"]
    assert listed[0]["datetime"] == "2000-09-15T11:28:26Z"
    assert listed[-1] == document["mementos"]["last"]


def test_timemap_is_kept_by_clients_and_comes_for_documents_only(client: httpx.Client) -> None:
    first = client.get(f"/timemap{DOCUMENT}", headers={"Accept-Encoding": "identity"})
    again = client.get(f"/timemap{DOCUMENT}", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = client.head(f"/timemap{DOCUMENT}", headers={"Accept-Encoding": "identity"})
    assert head.headers["content-length"] == str(len(first.content))
    assert client.get(f"/timemap{DOCUMENT}.ttl").status_code == 200
    for path in ("/timemap/doc/x", "/timemap/doc/organisation/%3E%0A", "/timemap/doc/organisation/a/b/c"):
        assert_problem(client.get(path), 404, "resource-not-found")
    assert_problem(client.get(f"/timemap{DOCUMENT}", headers={"Accept": "text/csv"}), 406, "not-acceptable")


def test_rollback_is_a_memento_of_its_own(client: httpx.Client, releases: list[Release]) -> None:
    before, after = (client.get(memento_of(releases, number), headers=TURTLE) for number in (1, 6))
    assert before.content == after.content
    assert before.headers["memento-datetime"] == TIMES[0]
    assert after.headers["memento-datetime"] == TIMES[5]
    other = client.get(f"{DOCUMENT}?release={releases[1].id}&publication=6", headers=TURTLE)
    assert assert_problem(other, 400, "bad-parameter")["parameter"] == "publication"


def test_state_without_the_document_is_a_memento_too(client: httpx.Client, releases: list[Release]) -> None:
    """RFC 7089, section 4.5.5: that there was nothing is what was there."""
    path = "/doc/organisation/de-late"
    gone = client.get(path, params={"release": releases[0].id}, headers=TURTLE)
    assert_problem(gone, 404, "resource-not-found")
    assert gone.headers["memento-datetime"] == TIMES[0]
    assert find(links_of(gone), "original").target.endswith(path)
    there = client.get(path, params={"release": releases[2].id}, headers=TURTLE)
    assert there.status_code == 200
    # The current release is the first one again, so today there is nothing; its past can still be found (4.5.2).
    today = client.get(path, headers=TURTLE)
    assert_problem(today, 404, "resource-not-found")
    assert "memento-datetime" not in today.headers
    assert "accept-datetime" in vary_of(today)
    assert "timegate" in find(links_of(today), "original").relations
    assert ask(client, TIMES[2], path).headers["location"] == f"{path}?release={releases[2].id}"


def test_each_form_and_language_of_a_document_has_its_own_past(client: httpx.Client, releases: list[Release]) -> None:
    for path in (f"{DOCUMENT}.ttl", f"{DOCUMENT}.html"):
        assert ask(client, TIMES[0], path).headers["location"] == f"{path}?release={releases[0].id}"
    page = ask(client, TIMES[0], f"{DOCUMENT}?lang=de", Accept="text/html")
    assert page.headers["location"] == f"{DOCUMENT}?lang=de&release={releases[0].id}"
    memento = client.get(page.headers["location"], headers={"Accept": "text/html"})
    assert memento.headers["memento-datetime"] == TIMES[0]
    assert find(links_of(memento), "original").target.endswith(f"{DOCUMENT}?lang=de")
    assert "15. September 2000" in memento.text


def test_thing_leads_to_the_document_that_negotiates(client: httpx.Client, releases: list[Release]) -> None:
    headers = {"Accept-Datetime": TIMES[1], **TURTLE}
    response = client.get("/id/organisation/de-a", headers=headers, follow_redirects=True)
    assert [each.status_code for each in response.history] == [303, 302]
    assert response.headers["memento-datetime"] == TIMES[1]
    assert str(response.url).endswith(memento_of(releases, 2))


def test_answers_for_now_and_for_then_are_never_mixed_up(client: httpx.Client) -> None:
    for _ in range(2):
        assert client.get(DOCUMENT, headers=TURTLE).status_code == 200
        assert ask(client, TIMES[1]).status_code == 302
        assert_problem(ask(client, "never"), 400, "bad-datetime")


def test_browsers_may_send_the_header_and_read_the_answer(client: httpx.Client) -> None:
    preflight = client.options(DOCUMENT)
    assert "Accept-Datetime" in preflight.headers["access-control-allow-headers"]
    assert "Memento-Datetime" in client.get(DOCUMENT).headers["access-control-expose-headers"]


def test_links_have_the_public_address(root: Path, releases: list[Release], tmp_path: Path) -> None:
    public = "https://data.example.org"
    with run_server(root, tmp_path / "log", public_url=public) as server, server.client() as client:
        response = ask(client, TIMES[0])
        assert response.headers["location"] == memento_of(releases, 1)
        assert all(each.target.startswith(f"{public}/") for each in links_of(response))
        assert all(each.target.startswith(f"{public}/") for each in parse_links(client.get(f"/timemap{DOCUMENT}").text))


def test_history_goes_on_while_the_server_runs(tmp_path: Path) -> None:
    root = tmp_path / "releases"
    first = publish(root, TIMES[0], things={"de-a": "one"})
    with run_server(root, tmp_path / "log") as server, server.client() as client:

        def count() -> int:
            return client.get(f"/timemap{DOCUMENT}").text.count("memento")

        assert count() == 1
        second = publish(root, TIMES[1], things={"de-a": "two"})
        assert wait_until(lambda: count() == 2, seconds=2)
        # A rollback makes the same release current that was so before: the answers about history must differ yet.
        Releases(root).use(first.id)
        assert wait_until(lambda: count() == 3, seconds=2)
        third = publish(root, TIMES[2], things={"de-a": "three"})
        assert wait_until(lambda: count() == 4, seconds=2)
        assert ask(client, TIMES[1]).headers["location"] == f"{DOCUMENT}?release={second.id}"
        assert [each.id for each in prune_releases(root, keep=1)] == [first.id, second.id]
        assert wait_until(lambda: count() == 1, seconds=2)
        assert_problem(client.get(f"{DOCUMENT}?release={second.id}", headers=TURTLE), 410, "release-pruned")
        # What is left is the nearest there is, and says what time it is of.
        location = ask(client, TIMES[1]).headers["location"]
        assert location == f"{DOCUMENT}?release={third.id}"
        assert client.get(location, headers=TURTLE).headers["memento-datetime"] != TIMES[1]


def test_clock_that_was_set_back_undoes_nothing(tmp_path: Path) -> None:
    root = tmp_path / "releases"
    publish(root, TIMES[4], things={"de-a": "one"})
    second = publish(root, TIMES[0], things={"de-a": "two"})
    with run_server(root, tmp_path / "log") as server, server.client() as client:
        assert ask(client, TIMES[5]).headers["location"] == f"{DOCUMENT}?release={second.id}"
        memento = client.get(f"{DOCUMENT}?release={second.id}", headers=TURTLE)
        assert memento.headers["memento-datetime"] == TIMES[4]
