"""What the gateway promises, shown by the log of the second server."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode, urlsplit

from SPARQLWrapper import JSON as WRAPPER_JSON
from SPARQLWrapper import SPARQLWrapper

from tests.assertions import assert_problem
from tests.federation.conftest import CLUSTERS, Federation, expand
from tests.federation.outside import Answer, Handler, Outside, slow
from tests.protocol.processes import find_workers, wait_until

JOIN = "SELECT ?ours ?year { ?ours a chap:Cluster . SERVICE @%s { ?ours o:year ?year } }"
ONE = "SELECT * { SERVICE @%s { ?s o:year 2003 } }"


def fail(status: int, **headers: str) -> Answer:
    return lambda handler: handler.reply(status, b"out of order", "text/plain", **headers)


def test_researcher_joins_local_hubs_with_a_remote_graph(federation: Federation, outside: Outside) -> None:
    wrapper = SPARQLWrapper(f"{federation.server.url}/sparql")
    wrapper.setReturnFormat(WRAPPER_JSON)
    wrapper.setQuery(expand(JOIN % "plain" + " ORDER BY ?year"))
    answer = wrapper.queryAndConvert()
    assert isinstance(answer, dict)
    rows = answer["results"]["bindings"]
    assert [int(row["year"]["value"]) for row in rows] == [2000 + number for number in range(CLUSTERS)]
    # Only what we know was asked for, in batches, under our name.
    local = federation.rows("SELECT DISTINCT ?ours { ?ours a chap:Cluster }")
    asked = [value for request in outside.log for value in request.values]
    assert len(asked) == len(set(asked)) == len(local)
    assert {len(request.values) for request in outside.log[:-1]} == {6}
    assert len(outside.log) == -(-len(local) // 6)
    for request in outside.log:
        assert request.headers["user-agent"].startswith("CHAP/")
        assert federation.server.url in request.headers["user-agent"]
        assert (request.method, request.path) == ("POST", "/plain")


def test_method_get_puts_the_query_into_the_url(federation: Federation, outside: Outside) -> None:
    assert len(federation.rows(JOIN % "get")) == CLUSTERS
    assert {request.method for request in outside.log} == {"GET"}


def test_answer_is_kept_until_its_time_is_over(federation: Federation, outside: Outside) -> None:
    first = federation.rows(JOIN % "kept")
    requests = len(outside.log)
    assert requests > 1
    hits = federation.metric("chap_federation_requests_total", endpoint="kept", outcome="cached")
    assert federation.rows(JOIN % "kept") == first
    assert len(outside.log) == requests
    after = federation.metric("chap_federation_requests_total", endpoint="kept", outcome="cached")
    assert after - hits == requests
    federation.rows(ONE % "brief")
    federation.rows(ONE % "brief")
    assert len(outside.log) == requests + 1
    time.sleep(1.6)
    federation.rows(ONE % "brief")
    assert len(outside.log) == requests + 2


def test_variables_that_the_engine_makes_up_do_not_hide_an_answer(federation: Federation, outside: Outside) -> None:
    query = "SELECT ?s { SERVICE @kept { ?s o:part/o:size 3 } }"
    assert federation.rows(query) == federation.rows(query) != []
    assert len(outside.log) == 1


def test_federated_answer_is_stored_nowhere(federation: Federation, outside: Outside) -> None:
    for _ in range(2):
        response = federation.ask(ONE % "plain")
        assert response.headers["cache-control"] == "no-store"
        assert "etag" not in response.headers
    assert len(outside.log) >= 2


def test_slow_endpoint_is_cut_at_its_limit(federation: Federation, outside: Outside) -> None:
    outside.answer = slow(6)
    started = time.monotonic()
    problem = assert_problem(federation.ask(ONE % "quick"), 504, "federation-timeout")
    assert time.monotonic() - started < 4
    assert "quick" in problem["detail"]
    assert "0.5 s" in problem["detail"]


def test_dripping_endpoint_is_cut_at_its_limit(federation: Federation, outside: Outside) -> None:
    def drip(handler: Handler) -> None:
        handler.begin(200, Content_Length="100000")
        for _ in range(80):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.1)

    outside.answer = drip
    started = time.monotonic()
    assert_problem(federation.ask(ONE % "quick"), 504, "federation-timeout")
    assert time.monotonic() - started < 4


def test_breaker_opens_tries_once_and_closes(federation: Federation, outside: Outside) -> None:
    outside.answer = fail(500)
    for _ in range(2):
        problem = assert_problem(federation.ask(ONE % "fragile"), 502, "federation-failed")
        assert "500: 'out of order'" in problem["detail"]
    assert len(outside.log) >= 2
    refused = federation.ask(ONE % "fragile")
    assert_problem(refused, 503, "federation-paused")
    assert 1 <= int(refused.headers["retry-after"]) <= 2
    assert len(outside.log) >= 2
    assert federation.metric("chap_federation_breaker_open", endpoint="fragile") == 1
    time.sleep(2.05)
    # Half open: one may try, fails, and the pause begins anew.
    assert_problem(federation.ask(ONE % "fragile"), 502, "federation-failed")
    assert_problem(federation.ask(ONE % "fragile"), 503, "federation-paused")
    assert len(outside.log) == 3
    time.sleep(2.05)
    outside.answer = None
    assert len(federation.rows(ONE % "fragile")) == 1
    assert len(federation.rows(ONE % "fragile")) == 1
    assert len(outside.log) == 5
    assert federation.metric("chap_federation_breaker_open", endpoint="fragile") == 0


def test_bad_query_does_not_open_the_breaker(federation: Federation, outside: Outside) -> None:
    outside.answer = fail(400)
    for _ in range(4):
        assert_problem(federation.ask(ONE % "fragile"), 502, "federation-failed")
    outside.answer = None
    assert len(federation.rows(ONE % "fragile")) == 1


def test_passing_failure_is_tried_again_after_a_pause(federation: Federation, outside: Outside) -> None:
    times = []

    def recover(handler: Handler) -> None:
        times.append(time.monotonic())
        if len(times) < 3:
            handler.reply(503, b"", "text/plain")
        else:
            handler.evaluate()

    outside.answer = recover
    assert len(federation.rows(ONE % "stubborn")) == 1
    assert len(times) == 3
    assert times[1] - times[0] >= 0.25
    assert times[2] - times[1] >= 0.5


def test_retry_after_is_kept(federation: Federation, outside: Outside) -> None:
    times = []

    def ask_for_patience(handler: Handler) -> None:
        times.append(time.monotonic())
        if len(times) == 1:
            handler.reply(429, b"", "text/plain", Retry_After="2")
        else:
            handler.evaluate()

    outside.answer = ask_for_patience
    assert len(federation.rows(ONE % "stubborn")) == 1
    assert times[1] - times[0] >= 2
    outside.forget()
    outside.answer = fail(429, Retry_After="3600")
    assert_problem(federation.ask(ONE % "stubborn"), 502, "federation-failed")
    assert len(outside.log) == 1


def test_failure_that_does_not_pass_is_not_tried_again(federation: Federation, outside: Outside) -> None:
    outside.answer = fail(500)
    assert_problem(federation.ask(ONE % "stubborn"), 502, "federation-failed")
    assert len(outside.log) == 1


def test_silent_failure_leaves_one_empty_solution(federation: Federation, outside: Outside) -> None:
    outside.answer = fail(500)
    assert federation.rows("SELECT ?s { SERVICE SILENT @plain { ?s o:year 2003 } }") == [("",)]
    kept = federation.rows("SELECT ?ours ?year { ?ours a chap:Cluster . SERVICE SILENT @plain { ?ours o:year ?year } }")
    assert len(kept) == len(federation.rows("SELECT ?ours { ?ours a chap:Cluster }"))


def test_failure_inside_an_expression_is_none_of_the_answer(federation: Federation, outside: Outside) -> None:
    outside.answer = fail(500)
    query = "SELECT ?ours { ?ours a chap:Cluster FILTER NOT EXISTS { SERVICE @plain { ?ours o:note 'odd' } } }"
    assert_problem(federation.ask(query), 502, "federation-failed")


def test_same_pattern_is_asked_once_in_a_query(federation: Federation, outside: Outside) -> None:
    query = "SELECT ?ours { ?ours a chap:Cluster FILTER EXISTS { SERVICE @plain { ?ours o:note 'odd' } } }"
    assert len(federation.rows(query)) == CLUSTERS // 2
    assert len(outside.log) == 1


def test_client_that_leaves_takes_the_request_along(federation: Federation, outside: Outside) -> None:
    begun = threading.Event()

    def answer_for_ever(handler: Handler) -> None:
        handler.begin(200, Content_Length=str(10**7))
        begun.set()
        while True:
            handler.wfile.write(b" " * 1000)
            time.sleep(0.01)

    outside.answer = answer_for_ever
    before = federation.metric("chap_federation_requests_total", endpoint="plain", outcome="left")
    address = urlsplit(federation.server.url)
    query = urlencode({"query": expand(ONE % "plain")})
    for _ in range(3):
        begun.clear()
        with socket.create_connection((str(address.hostname), int(address.port or 0))) as connection:
            connection.sendall(f"GET /sparql?{query} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
            assert begun.wait(10)
            # On a busy machine, one that leaves in the moment in which the answer begins is not always seen to leave.
            time.sleep(0.5)
        if outside.hung_up.wait(10):
            break
    assert outside.hung_up.is_set()
    assert wait_until(
        lambda: federation.metric("chap_federation_requests_total", endpoint="plain", outcome="left") > before,
        seconds=10,
    )


def test_requests_that_were_never_sent_take_nothing_from_those_who_come_next(
    federation: Federation, outside: Outside
) -> None:
    def count_left() -> float:
        return federation.metric("chap_federation_requests_total", endpoint="paced", outcome="left")

    assert len(federation.rows(ONE % "paced")) == 1
    address = urlsplit(federation.server.url)
    query = urlencode({"query": expand(ONE % "paced")})
    left = count_left()
    # Each waits for the second in which it might be sent, and leaves before that comes.
    for number in range(4):
        with socket.create_connection((str(address.hostname), int(address.port or 0))) as connection:
            connection.sendall(f"GET /sparql?{query} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
            time.sleep(0.3)
        wait_until(lambda expected=left + number + 1: count_left() >= expected, seconds=2)  # type: ignore[misc]
    assert count_left() > left
    # Five seconds after the first is the next one's turn, however many wanted it meanwhile.
    assert len(federation.rows(ONE % "paced")) == 1
    assert len(outside.log) >= 2


def test_killed_worker_takes_its_request_along(federation: Federation, outside: Outside) -> None:
    begun = threading.Event()

    def hang(handler: Handler) -> None:
        begun.set()
        time.sleep(1)
        handler.evaluate()

    outside.answer = hang
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(federation.ask, ONE % "plain")
        assert begun.wait(10)
        killed = set(find_workers(federation.server.process.pid))
        for worker in killed:
            os.kill(worker, signal.SIGKILL)
        assert asked.result().status_code >= 500
        # The server knows of each by then.
        assert wait_until(lambda: killed.isdisjoint(find_workers(federation.server.process.pid)), seconds=10)
    outside.forget()
    assert len(federation.rows(ONE % "plain")) == 1


def test_query_limit_ends_a_federated_query(federation: Federation, outside: Outside) -> None:
    outside.answer = slow(12)
    assert_problem(federation.ask(ONE % "plain"), 504, "query-timeout")


def test_many_at_once_are_answered_and_ask_only_once(federation: Federation, outside: Outside) -> None:
    outside.answer = slow(0.2)
    query = "SELECT ?s { SERVICE @kept { ?s o:year 2007 } }"
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: federation.ask(query), range(24)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert len(outside.log) == 1


def test_no_more_at_once_than_allowed(federation: Federation, outside: Outside) -> None:
    lock, running, most = threading.Lock(), 0, 0

    def count(handler: Handler) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.05)
        handler.evaluate()
        with lock:
            running -= 1

    outside.answer = count
    queries = [f"SELECT ?s {{ SERVICE @narrow {{ ?s o:year {2000 + number} }} }}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert {answer.status_code for answer in pool.map(federation.ask, queries)} == {200}
    assert len(outside.log) == 8
    assert most == 1
