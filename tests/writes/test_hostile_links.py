"""Written data with addresses that are none of the web: shown as text, and never a link."""

from __future__ import annotations

import html
import json
import re
from urllib.parse import quote

import httpx

from tests.writes.conftest import TURTLE, WRITTEN

GRAPH = f"{WRITTEN}holm-hostile-links"
SCHEMES = ("javascript:alert(1)", "JavaScript://x/%0aalert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd")
BASE = "https://w3id.org/chap/"
THING = f"{BASE}id/organisation/de-holm"
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
SEE_ALSO = "http://www.w3.org/2000/01/rdf-schema#seeAlso"
PROPERTIES = (SEE_ALSO, "http://xmlns.com/foaf/0.1/page")


def write_document() -> str:
    lines = []
    # The first of these looks like one of ours, and would be another host as a path.
    for iri in (*SCHEMES, f"{BASE}/evil.example/x", "mailto:a@example.org", "https://example.org/good"):
        lines += [f"<{THING}> <{each}> <{iri}> ." for each in PROPERTIES]
        lines += [
            f'<{iri}> <{LABEL}> "a label"@en .',
            f"<{iri}> <{SEE_ALSO}> <{iri}> .",
            f"<{iri}> <{iri}> <{THING}> .",
        ]
    return "\n".join(lines)


def find_links(page: str) -> list[str]:
    return [html.unescape(each) for each in re.findall(r'(?:href|src|action|formaction|data)="([^"]*)"', page)]


def test_no_scheme_but_those_of_web_and_mail_becomes_a_link(client: httpx.Client) -> None:
    written = client.put(f"/graph-store?graph={GRAPH}", content=write_document(), headers=TURTLE)
    assert written.status_code == 201, written.text
    try:
        everything = f"SELECT * {{ GRAPH <{GRAPH}> {{ ?s ?p ?o }} }}"
        pages = {
            path: client.get(path, headers={"Accept": "text/html"}).text
            for path in (
                "/doc/organisation/de-holm",
                f"/graph/{GRAPH.removeprefix(f'{BASE}graph/')}",
                f"/sparql?query={quote(everything)}",
            )
        }
        for path, page in pages.items():
            links = find_links(page)
            assert links
            odd = [each for each in links if not re.match(r"https?://|mailto:|/(?!/)|[#?]", each)]
            assert odd == [], path
            (data,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page) or ["null"]
            assert not any(each.lower() in json.dumps(json.loads(data)).lower() for each in SCHEMES), path
        # What is no link is shown.
        assert "javascript:alert(1)" in pages[f"/graph/{GRAPH.removeprefix(f'{BASE}graph/')}"]
        for page in list(pages.values())[1:]:
            assert {"https://example.org/good", "mailto:a@example.org"} <= set(find_links(page))
    finally:
        assert client.delete(f"/graph-store?graph={GRAPH}").status_code == 204
