"""Dumps: ``/dumps/<dataset>/<digest>/<file>`` never changes, ``/dumps/<dataset>/latest/<file>`` leads to the newest."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from endpoint.history.releases import ServedReleases
from endpoint.http.files import make_file_response, make_unpacked_response
from endpoint.http.negotiation import negotiate_media_type, read_accept
from endpoint.http.problems import Problem
from endpoint.http.responses import make_response, write_header
from endpoint.http.target import read_path
from endpoint.pages.site import render_page
from kg.dumps.index import DUMPS_NAME, METADATA_NAME, Dump, DumpFile, load_dumps
from kg.errors import ReleaseDamaged
from kg.release import Release

__all__ = ["routes"]

_OFFERS: Final = ("text/html", "application/json")
_DATASET: Final = "https://w3id.org/chap/dataset/"
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_MEDIA_TYPES: Final = {"gzip": "application/gzip", "zstd": "application/zstd"}
_SUFFIXES: Final = {"zstd": ".zst", "gzip": ".gz"}


async def _show_datasets(request: Request) -> Response:
    """What can be fetched whole: the datasets of a release."""
    release = _get_release(request)
    dumps = await run_in_threadpool(_load_dumps, release.path)
    base_url = request.app.state.settings.base_url
    records = [_describe(each, base_url) for each in dumps.values()]
    return await _answer(request, "dumps.html", {"release": release.id, "datasets": records}, dumps=records)


async def _show_dataset(request: Request) -> Response:
    """The files of a dataset."""
    release = _get_release(request)
    dump = await _get_dump(release, request.path_params["dataset"])
    base_url = request.app.state.settings.base_url
    record = _describe(dump, base_url)
    files = [_describe_file(each, record["url"], dump.digest) for each in dump.files]
    document = {"release": release.id, **record, "files": files}
    return await _answer(
        request, "dump.html", document, dump=record, documents=_group(dump, read_path(request).rstrip("/"))
    )


async def _redirect_latest(request: Request) -> Response:
    """The address that a file of the current release, or of the one that is named, has for ever."""
    dataset, name = request.path_params["dataset"], request.path_params["name"]
    dump = await _get_dump(_get_release(request), dataset)
    _get_file(dump, name)
    headers = {"Location": f"../{dump.digest}/{name}", "Cache-Control": "public, no-cache"}
    return Response(status_code=302, headers=headers)


async def _send_file(request: Request) -> Response:
    """A file of any release that is kept and has the dataset with this digest."""
    dataset, digest, name = (request.path_params[each] for each in ("dataset", "digest", "name"))
    releases: ServedReleases = request.app.state.releases
    found = await run_in_threadpool(_find_dump, releases, request.app.state.settings.releases_dir, dataset, digest)
    if found is None:
        raise Problem(
            "dump-not-found",
            404,
            f"No release that is kept has {dataset} with this digest; /dumps/{dataset}/latest/ leads to the newest.",
        )
    directory, dump = found
    file = _get_file(dump, name)
    headers = {"Link": write_header(", ".join(_make_links(dump, file)))}
    if (directory / name).is_file():
        return make_file_response(
            request,
            directory / name,
            media_type=_MEDIA_TYPES.get(file.compression or "", _write_media_type(file)),
            sha256=file.sha256,
            size=file.size,
            headers=headers,
        )
    twins = {
        coding: (directory / twin.name, twin.size)
        for coding, suffix in _SUFFIXES.items()
        if (twin := dump.find_file(name + suffix)) is not None
    }
    return make_unpacked_response(
        request, twins=twins, media_type=_write_media_type(file), sha256=file.sha256, size=file.size, headers=headers
    )


async def _answer(request: Request, template: str, document: Mapping[str, Any], **values: Any) -> Response:
    """A list as a page or as JSON."""
    media_type = negotiate_media_type(read_accept(request.headers), _OFFERS)
    if media_type is None:
        raise Problem(
            "not-acceptable", 406, f"Available are {', '.join(_OFFERS)}.", members={"available": list(_OFFERS)}
        )
    if media_type == "text/html":
        return await render_page(request, template, vary="Accept, Accept-Language", **values)
    body = json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"
    return make_response(request, body, media_type, vary="Accept, Accept-Language")


def _get_release(request: Request) -> Release:
    releases: ServedReleases = request.app.state.releases
    return releases.get_complete(request.query_params.get("release") or None)


async def _get_dump(release: Release, dataset: str) -> Dump:
    dumps = await run_in_threadpool(_load_dumps, release.path)
    if dataset not in dumps:
        raise Problem(
            "resource-not-found",
            404,
            f"{release.id} has no dataset {dataset!r}. There are: {', '.join(dumps)}.",
            members={"available": list(dumps)},
        )
    return dumps[dataset]


def _get_file(dump: Dump, name: str) -> DumpFile:
    file = dump.find_file(name)
    if file is None:
        names = [each.name for each in dump.files]
        raise Problem(
            "resource-not-found",
            404,
            f"The dumps of {dump.dataset} have no file {name!r}; 'available' names them.",
            members={"available": names},
        )
    return file


def _find_dump(releases: ServedReleases, root: Path, dataset: str, digest: str) -> tuple[Path, Dump] | None:
    """Where the files of a dataset with this digest are, and the list of them; None when no release has them."""
    if not _DIGEST.fullmatch(digest):
        return None
    current = [] if releases.current is None else [releases.current.id]
    for release_id in [*current, *sorted(releases.history.kept.difference(current), reverse=True)]:
        path = root / release_id
        try:
            if _load_digests(path).get(dataset) == digest and (path / DUMPS_NAME / dataset).is_dir():
                return path / DUMPS_NAME / dataset, _load_dumps(path)[dataset]
        except ReleaseDamaged:
            # Damage to one release concerns nobody but those who ask for it; another may have the same files.
            continue
    return None


@lru_cache(maxsize=8)
def _load_dumps(path: Path) -> Mapping[str, Dump]:
    """The dumps of a release, which never change."""
    return load_dumps(path)


@lru_cache(maxsize=4096)
def _load_digests(path: Path) -> Mapping[str, str]:
    """The digest of each dataset of a release: little enough to be remembered of every release."""
    return {name: dump.digest for name, dump in load_dumps(path).items()}


def _describe(dump: Dump, base_url: str) -> dict[str, Any]:
    return {
        "dataset": dump.dataset,
        "iri": _DATASET + dump.dataset,
        "url": f"{base_url}/dumps/{dump.dataset}",
        "digest": dump.digest,
        "first_published": dump.first_published,
        "first_release": dump.first_release,
        "licence": dump.licence,
        "quads": dump.quads,
    }


def _describe_file(file: DumpFile, url: str, digest: str) -> dict[str, Any]:
    record = asdict(file)
    return {
        "url": f"{url}/{digest}/{file.name}",
        **{name: record[name] for name in ("name", "media_type", "compression", "sha256")},
        "bytes": file.size,
        "class": file.class_iri,
    }


def _group(dump: Dump, path: str) -> list[dict[str, Any]]:
    """The files for a page: one entry a document, with its variants; links are local."""
    documents: list[dict[str, Any]] = []
    for file in dump.files:
        variant = {"path": f"{path}/{dump.digest}/{file.name}", "size": file.size, "sha256": file.sha256}
        if file.compression is None:
            documents.append(
                {"name": file.name, "media_type": file.media_type, "class_iri": file.class_iri, "variants": []}
            )
        documents[-1]["variants"].append(variant | {"label": file.compression or "plain"})
    return documents


def _make_links(dump: Dump, file: DumpFile) -> list[str]:
    links = [f'<{_DATASET}{dump.dataset}>; rel="collection"']
    if dump.licence is not None:
        links.append(f'<{dump.licence}>; rel="license"')
    if file.media_type == "text/csv":
        # Where programs look for what columns mean (https://www.w3.org/TR/tabular-data-model/, section 5.2).
        links.append(f'<{METADATA_NAME}>; rel="describedby"; type="application/csvm+json"')
    return links


def _write_media_type(file: DumpFile) -> str:
    return f"{file.media_type}; charset=utf-8" if file.media_type.startswith("text/") else file.media_type


routes = [
    Route("/dumps", _show_datasets),
    Route("/dumps/{dataset}", _show_dataset),
    Route("/dumps/{dataset}/latest/{name}", _redirect_latest),
    Route("/dumps/{dataset}/{digest}/{name}", _send_file),
]
