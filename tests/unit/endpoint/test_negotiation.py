"""The negotiation table (RFC 9110, section 12.5)."""

from __future__ import annotations

import pytest

from endpoint.http.negotiation import negotiate_language, negotiate_media_type

OFFERS = ["text/turtle", "application/ld+json", "text/html"]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "text/turtle"),
        ("", "text/turtle"),
        ("*/*", "text/turtle"),
        ("text/html", "text/html"),
        ("text/html;q=0.9, application/ld+json", "application/ld+json"),
        ("text/*, text/turtle;q=0", "text/html"),
        ("text/*;q=0.5, application/*", "application/ld+json"),
        ("*/*;q=0.1, text/html", "text/html"),
        ('application/ld+json;profile="x";q=0.8, text/html;q=0.7', "application/ld+json"),
        ("TEXT/HTML", "text/html"),
        ("image/png", None),
        ("*/*;q=0", None),
        ("text/html;q=1.5", None),
        ("text/html;q=x, application/ld+json", "application/ld+json"),
        ("*/html", None),
        ("garbage", None),
        ("text/turtle;q=0.000", None),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
    ],
)
def test_media_type_is_negotiated(accept: str | None, expected: str | None) -> None:
    assert negotiate_media_type(accept, OFFERS) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, "en"),
        ("de", "de"),
        ("de-CH, en;q=0.9", "de"),
        ("en;q=0.3, de;q=0.4", "de"),
        ("fr", "en"),
        ("fr, de;q=0", "en"),
        ("*", "en"),
        ("de;q=oops, en;q=0.1", "en"),
    ],
)
def test_language_is_negotiated(header: str | None, expected: str) -> None:
    assert negotiate_language(header, ["de", "en"], default="en") == expected
