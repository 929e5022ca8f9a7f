"""The gather stage of ckanext-dcat's own RDF harvester, without a CKAN server; runs in an environment of its own.

usage: gather.py URL    prints JSON: the errors, and the identifier and content of each dataset in the order found

Everything is the harvester's: requests, limits, formats, parser, profiles, paging. Only its database is stood in for.
"""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

from ckanext.dcat.harvesters import rdf  # type: ignore[import-not-found]

STORED: list[HarvestObject] = []
ERRORS: list[str] = []


class HarvestObject:
    """Keeps what the harvester would store."""

    def __init__(self, guid: str, job: object, content: str) -> None:
        self.guid, self.job, self.content = guid, job, content
        self.id = len(STORED)

    def save(self) -> None:
        STORED.append(self)


class Harvester(rdf.DCATRDFHarvester):  # type: ignore[misc]
    """Without a database."""

    def _save_gather_error(self, message: str, _: object) -> None:
        ERRORS.append(message)

    def _gen_new_name(self, title: str) -> str:
        return title.lower().replace(" ", "-")

    def _mark_datasets_for_deletion(self, *_: object) -> list[str]:
        return []


def main(url: str) -> None:
    source = SimpleNamespace(url=url, id="source", config=None, owner_org=None)
    rdf.HarvestObject = HarvestObject
    rdf.model = SimpleNamespace(Package=SimpleNamespace(get=lambda _: source))
    queued = Harvester().gather_stage(SimpleNamespace(source=source))
    objects = [{"guid": each.guid, "content": json.loads(each.content)} for each in STORED]
    json.dump({"errors": ERRORS, "queued": len(queued), "objects": objects}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
