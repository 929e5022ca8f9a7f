"""Settings: order, types, hints."""

from __future__ import annotations

from pathlib import Path

import pytest

from endpoint.settings import EndpointSettings, load_settings, server_environment, worker_environment
from kg.errors import SettingsError


def test_argument_wins_over_environment_over_default() -> None:
    environ = {"ENDPOINT_PORT": "8001", "ENDPOINT_HOST": "0.0.0.0"}
    settings = load_settings(environ, port=8002, host=None)
    assert (settings.port, settings.host, settings.query_timeout_s) == (8002, "0.0.0.0", 30.0)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"ENDPOINT_QUERY_TIMEOUT": "3"}, "did you mean ENDPOINT_QUERY_TIMEOUT_S"),
        ({"ENDPOINT_PORT": "http"}, "must be a number"),
        ({"ENDPOINT_PORT": "70000"}, "between 0 and 65535"),
        ({"ENDPOINT_QUERY_WORKERS": "0"}, "more than 0"),
        ({"ENDPOINT_DEFAULT_LANGUAGE": "fr"}, "de, en"),
        ({"ENDPOINT_PUBLIC_URL": "example.org"}, "must start with"),
        ({"ENDPOINT_QUERY_MAX_KIB": "4096"}, "larger than ENDPOINT_MAX_BODY_MIB"),
    ],
)
def test_wrong_setting_stops_with_a_hint(environ: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(environ)


def test_settings_of_others_are_left_alone() -> None:
    assert load_settings({"KG_RELEASES_DIR": "x", "PATH": "y"}) == load_settings({})


def test_settings_survive_the_way_to_a_new_process() -> None:
    settings = EndpointSettings(
        port=8005, releases_dir=Path("elsewhere"), query_timeout_s=1.5, public_url="https://e.org"
    )
    assert load_settings(server_environment(settings, {})) == settings


def test_worker_learns_no_secret() -> None:
    found = worker_environment({"PATH": "/bin", "ENDPOINT_TOKENS_FILE": "x", "AWS_SECRET": "y"})
    assert set(found) == {"PATH", "GLIBC_TUNABLES"}


def test_public_address_defaults_to_where_it_listens() -> None:
    assert EndpointSettings(port=80).base_url == "http://127.0.0.1:80"
    assert EndpointSettings(host="::1", port=80).base_url == "http://[::1]:80"
    assert EndpointSettings(public_url="https://e.org/").base_url == "https://e.org"


def test_every_setting_has_a_help_text() -> None:
    from dataclasses import fields  # noqa: PLC0415

    assert all(each.metadata["help"] for each in fields(EndpointSettings))
