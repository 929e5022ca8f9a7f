"""Who a client is behind proxies, and what share of the engine's time it may have."""

from __future__ import annotations

from contextlib import ExitStack, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoint.http.budget import FairShare
from endpoint.http.clients import Clients, find_client, parse_networks
from endpoint.http.problems import Problem

BUDGET_S = 10.0
EARNED = 0.5


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def share(clock: Clock) -> FairShare:
    return FairShare(budget_s=BUDGET_S, earned_per_s=EARNED, clock=clock)


def spend(share: FairShare, clock: Clock, client: str, seconds: float) -> None:
    with share.spend(client):
        clock.now += seconds


def refuse(share: FairShare, client: str) -> Problem:
    with pytest.raises(Problem) as caught:
        share.check(client)
    assert (caught.value.status, caught.value.code) == (429, "too-many-query-seconds")
    return caught.value


def test_client_within_its_budget_may_ask(share: FairShare, clock: Clock) -> None:
    for _ in range(9):
        share.check("a")
        spend(share, clock, "a", 2)
    # Nine times 2 s spent, 1 s earned back in each.
    share.check("a")
    assert share.refused == 0


def test_client_that_has_overdrawn_waits_as_long_as_it_is_told_and_no_longer(share: FairShare, clock: Clock) -> None:
    spend(share, clock, "a", 30)
    # 10 s were there, 15 s were earned, 30 s spent.
    wait_s = int(refuse(share, "a").headers["Retry-After"])
    assert wait_s == 12
    clock.now += 9.9
    refuse(share, "a")
    clock.now += wait_s - 9.9
    share.check("a")
    assert share.refused == 2


def test_others_are_not_touched(share: FairShare, clock: Clock) -> None:
    spend(share, clock, "a", 100)
    refuse(share, "a")
    share.check("b")


def test_budget_never_grows_beyond_itself(share: FairShare, clock: Clock) -> None:
    share.check("a")
    clock.now += 1_000_000
    spend(share, clock, "a", 2 * BUDGET_S)
    refuse(share, "a")


def test_queries_at_once_are_charged_while_they_run(share: FairShare, clock: Clock) -> None:
    with ExitStack() as running:
        for _ in range(4):
            share.check("a")
            running.enter_context(share.spend("a"))
        clock.now += 2.5
        share.check("a")
        # Four run: 3.5 s more are gone in a second than come in.
        clock.now += 0.5
        refuse(share, "a")
    refuse(share, "a")


def test_query_that_fails_is_charged_too(share: FairShare, clock: Clock) -> None:
    def fail() -> None:
        with share.spend("a"):
            clock.now += 50
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    refuse(share, "a")


def test_look_ups_are_free(clock: Clock) -> None:
    share = FairShare(budget_s=0.05, earned_per_s=0.000_001, clock=clock)
    for _ in range(10_000):
        share.check("a")
        spend(share, clock, "a", 0.005)
    share.check("a")


def test_look_up_does_not_pay_back_what_others_spend_beside_it(share: FairShare, clock: Clock) -> None:
    with share.spend("a"):
        for _ in range(10_000):
            spend(share, clock, "a", 0.005)
    refuse(share, "a")


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.02, 20), st.floats(0, 20)), max_size=40))
def test_nobody_gets_more_than_budget_and_earnings_and_one_query(steps: list[tuple[str, float, float]]) -> None:
    clock = Clock()
    share = FairShare(budget_s=BUDGET_S, earned_per_s=EARNED, clock=clock)
    begun = clock.now
    spent = dict.fromkeys("abc", 0.0)
    for client, seconds, pause_s in steps:
        with suppress(Problem):
            share.check(client)
            assert spent[client] <= BUDGET_S + EARNED * (clock.now - begun) + 0.000_001
            spend(share, clock, client, seconds)
            spent[client] += seconds
        clock.now += pause_s


def test_accounts_of_many_addresses_are_bounded_and_the_running_ones_kept(share: FairShare, clock: Clock) -> None:
    with share.spend("runner"):
        for number in range(12_000):
            share.check(f"address {number}")
        clock.now += 100
        refuse(share, "runner")
    assert len(share._accounts) <= 10_001
    refuse(share, "runner")


@pytest.mark.parametrize(
    ("client", "trusted", "forwarded", "expected"),
    [
        ("203.0.113.9", "", ["198.51.100.1"], "203.0.113.9"),
        ("203.0.113.9", "127.0.0.1", ["198.51.100.1"], "203.0.113.9"),
        ("127.0.0.1", "127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        # What the client itself put in front is not believed.
        ("127.0.0.1", "127.0.0.1", ["10.9.9.9, 198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", "127.0.0.1", ["10.9.9.9", "198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", "127.0.0.1 10.0.0.0/8", ["198.51.100.1, 10.1.2.3"], "198.51.100.1"),
        ("127.0.0.1", "127.0.0.1 10.0.0.0/8", ["10.4.4.4, 10.1.2.3"], "10.4.4.4"),
        ("127.0.0.1", "127.0.0.1", ["198.51.100.1 ,, "], "198.51.100.1"),
        ("::1", "::1/128", ["2001:db8::7"], "2001:db8::7"),
        ("127.0.0.1", "0.0.0.0/0", ["198.51.100.1"], "198.51.100.1"),
    ],
)
def test_client_is_the_nearest_address_that_is_no_proxy_of_ours(
    client: str, trusted: str, forwarded: list[str], expected: str
) -> None:
    headers = [(b"host", b"x"), *((b"x-forwarded-for", each.encode()) for each in forwarded)]
    scope = {"type": "http", "client": (client, 4711), "headers": headers}
    assert find_client(scope, parse_networks(trusted)) == expected


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("203.0.113.9:54321", "203.0.113.9"),
        ("[2001:db8::7]:54321", "2001:db8::7"),
        ("2001:DB8:0:0::7", "2001:db8::7"),
        ("unknown", "127.0.0.1"),
        ("x" * 5_000, "127.0.0.1"),
    ],
)
def test_client_is_one_account_however_a_proxy_writes_its_address(forwarded: str, expected: str) -> None:
    scope = {"type": "http", "client": ("127.0.0.1", 1), "headers": [(b"x-forwarded-for", forwarded.encode())]}
    assert find_client(scope, parse_networks("127.0.0.1")) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:0:7:1::1", "2001:db8:0:7::/64"),
        ("2001:db8:0:7:ffff::2", "2001:db8:0:7::/64"),
        ("2001:db8:0:8::1", "2001:db8:0:8::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_client_is_a_network(address: str, expected: str) -> None:
    clients = Clients(trusted=(), ipv4_prefix=32, ipv6_prefix=64)
    assert clients.find({"type": "http", "client": (address, 1), "headers": []}) == expected


def test_length_of_the_prefix_can_be_set() -> None:
    clients = Clients(trusted=parse_networks("127.0.0.1"), ipv4_prefix=24, ipv6_prefix=48)
    headers = [(b"x-forwarded-for", b"::ffff:198.51.100.7")]
    assert clients.find({"type": "http", "client": ("127.0.0.1", 1), "headers": headers}) == "198.51.100.0/24"
    assert clients.find({"type": "http", "client": ("2001:db8:1:2::3", 1), "headers": []}) == "2001:db8:1::/48"


def test_mapped_address_of_a_proxy_is_trusted_as_the_address_that_it_is() -> None:
    headers = [(b"x-forwarded-for", b"198.51.100.7")]
    scope = {"type": "http", "client": ("::ffff:10.0.0.1", 1), "headers": headers}
    assert find_client(scope, parse_networks("10.0.0.0/8")) == "198.51.100.7"


def test_who_sends_look_ups_goes_first_then_who_spent_less_then_who_has_fewer_running(
    share: FairShare, clock: Clock
) -> None:
    assert share.weigh("a") == (1, 0)
    spend(share, clock, "a", 3)
    spend(share, clock, "light", 0.005)
    with share.spend("b"):
        assert share.weigh("light") < share.weigh("c") < share.weigh("b") < share.weigh("a")
    clock.now += 100
    # What its next query will take, nobody knows; the last one was long.
    assert share.weigh("a") == (1, 0)
    spend(share, clock, "a", 0.005)
    assert share.weigh("a") == (0, 0)


def test_connection_without_an_address_is_a_client_too() -> None:
    assert find_client({"type": "http", "client": None, "headers": []}, ()) == ""


@pytest.mark.parametrize("text", ["localhost", "10.0.0.1/8", "10.0.0.0/33", "1.2.3"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"network|host bits"):
        parse_networks(text)
