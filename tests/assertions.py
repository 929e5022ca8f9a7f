"""Checks that many tests make."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import httpx
import pyoxigraph as ox
from rdflib import Graph

__all__ = ["assert_problem", "read_triples"]


def assert_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of a response, once it is one (RFC 9457) with that status and code."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    document: dict[str, Any] = response.json()
    assert document["status"] == status
    assert document["title"] == HTTPStatus(status).phrase
    assert document["code"] == code, document
    assert document["detail"]
    return document


def read_triples(store: ox.Store) -> Graph:
    """The default graph of a store as a graph of rdflib, which tests ask questions more easily."""
    lines = store.dump(format=ox.RdfFormat.N_TRIPLES, from_graph=ox.DefaultGraph())
    return Graph().parse(data=lines, format="nt")
