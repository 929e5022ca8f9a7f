"""What a page about a thing shows: rows of the stored queries, put in order, with their sources numbered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from endpoint.pages.links import find_href, to_path
from endpoint.pages.wording import write_amount, write_date, write_period
from endpoint.sparql.ask import Term

__all__ = ["Citations", "Row", "ThingView", "View", "flatten", "make_thing_view", "pick"]

Row = Mapping[str, str]
View = dict[str, Any]

_CHAP: Final = "https://w3id.org/chap/def#"
_SCHEMA: Final = "https://schema.org/"
_SKOS: Final = "http://www.w3.org/2004/02/skos/core#"
_DCTERMS: Final = "http://purl.org/dc/terms/"
_ORG: Final = "http://www.w3.org/ns/org#"

# property, key of its text, whether the value is a date
_FACTS: Final = (
    (f"{_CHAP}status", "status", False),
    (f"{_CHAP}offers", "services", False),
    ("http://xmlns.com/foaf/0.1/homepage", "website", False),
    ("http://xmlns.com/foaf/0.1/page", "website", False),
    (f"{_DCTERMS}publisher", "publisher", False),
    (f"{_DCTERMS}date", "date", True),
    (f"{_CHAP}dateNote", "date", False),
    (f"{_CHAP}legalForm", "legal_form", False),
    ("http://www.w3.org/ns/legal#legalName", "legal_name", False),
    (f"{_SKOS}altLabel", "also_called", False),
    (f"{_CHAP}formerName", "formerly", False),
    (f"{_SCHEMA}foundingDate", "founded", True),
    (f"{_SCHEMA}startDate", "start", True),
    (f"{_SCHEMA}endDate", "end", True),
    (f"{_SCHEMA}award", "award", False),
    (f"{_CHAP}succeeds", "succeeds", False),
    (f"{_CHAP}succeededBy", "succeeded_by", False),
    (f"{_DCTERMS}isPartOf", "part_of", False),
    (f"{_DCTERMS}hasPart", "parts", False),
    (f"{_DCTERMS}spatial", "region", False),
    (f"{_CHAP}otherField", "other_fields", False),
    (f"{_SCHEMA}sameAs", "same_as", False),
    ("http://www.w3.org/2002/07/owl#sameAs", "same_as", False),
)


_ENTRY_TYPE: Final = "https://w3id.org/chap/scheme/indicator/edih-type"
# Which lists of concepts the list of hubs can be filtered by.
_FILTERS: Final = {"edih-technology": "technology", "edih-sector": "sector"}


@dataclass
class Citations:
    """The sources of a page, numbered in the order in which they are first cited."""

    numbers: dict[str, int] = field(default_factory=dict)
    entries: list[Row] = field(default_factory=list)

    def cite(self, rows: Iterable[Row]) -> list[int]:
        """The numbers of the sources that rows name; of a page and a paragraph of it, the paragraph."""
        named = {row["source"]: row for row in rows if row.get("source")}
        found = []
        for source, row in named.items():
            if any(other.startswith(source + "/") for other in named):
                continue
            if source not in self.numbers:
                self.numbers[source] = len(self.numbers) + 1
                self.entries.append(row)
            found.append(self.numbers[source])
        return sorted(found)


@dataclass(frozen=True)
class ThingView:
    """Everything that the template of a thing needs, but for the frame of the page."""

    thing: View
    facts: list[View]
    objectives: list[View]
    relations: list[View]
    fundings: list[View]
    figures: list[View]
    entry_type: View | None
    engagements: list[View]
    notes: list[View]
    sources: list[Row]


def flatten(rows: Iterable[Mapping[str, Term]]) -> list[Row]:
    """Rows of plain text: for each variable its value, and beside it ``<name>_lang`` and ``<name>_kind``."""
    return [
        {
            key: text
            for name, term in row.items()
            for key, text in ((name, term.value), (f"{name}_lang", term.language or ""), (f"{name}_kind", term.kind))
        }
        for row in rows
    ]


def pick(row: Row, name: str, language: str) -> str:
    """The label in the language, else in the other one, else the end of the IRI."""
    other = "en" if language == "de" else "de"
    return row.get(f"{name}_{language}") or row.get(f"{name}_{other}") or row.get(name, "").rpartition("/")[2]


def make_thing_view(
    rows: Mapping[str, Sequence[Row]], *, iri: str, language: str, texts: Mapping[str, Any]
) -> ThingView:
    """The view of a thing from the rows of the queries ``thing``, ``sites``, ``involvements`` and so on."""
    citations = Citations()
    builder = _Builder(citations, language, texts)
    own: dict[str, list[Row]] = {}
    for row in rows["thing"]:
        own.setdefault(row["property"], []).append(row)
    return ThingView(
        thing=builder.head(own, iri),
        objectives=builder.objectives(rows["objectives"]),
        relations=builder.relations(rows["involvements"]),
        fundings=builder.fundings(rows["fundings"]),
        figures=(figures := builder.figures(rows["figures"])),
        # The newest comes first.
        entry_type=next((each for each in figures if each["kind"] == _ENTRY_TYPE), None),
        engagements=builder.engagements(rows["engagements"]),
        notes=builder.notes(own),
        facts=builder.facts(own, rows["sites"]),
        sources=citations.entries,
    )


@dataclass
class _Builder:
    citations: Citations
    language: str
    texts: Mapping[str, Any]

    def head(self, own: Mapping[str, list[Row]], iri: str) -> View:
        names = {row.get("value_lang", ""): row["value"] for row in own.get(f"{_SKOS}prefLabel", ())}
        other = "en" if self.language == "de" else "de"
        titles = [row["value"] for row in own.get(f"{_DCTERMS}title", ())]
        name = names.get(self.language) or names.get(other) or next(iter(titles), iri.rpartition("/")[2])
        descriptions = self._in_language(own.get(f"{_DCTERMS}description", ()))
        topics = {row["value"]: row for row in own.get(f"{_CHAP}focus", ())}
        kinds = {row["value"]: pick(row, "label", self.language) for row in own.get(f"{_CHAP}kind", ())}
        return {
            "iri": iri,
            "name": name,
            "other_name": names.get(other) if names.get(other) != name else "",
            "other_language": other,
            "kinds": list(kinds.values()),
            "topics": [self._topic(row) for row in topics.values()],
            "description": descriptions[0]["value"] if descriptions else "",
            "description_sources": self.citations.cite(descriptions),
        }

    def facts(self, own: Mapping[str, list[Row]], sites: Sequence[Row]) -> list[View]:
        found: list[View] = []
        for property_iri, key, is_date in _FACTS:
            groups: dict[str, list[Row]] = {}
            for row in own.get(property_iri, ()):
                groups.setdefault(row["value"], []).append(row)
            entries = [self._fact(group, is_date=is_date) for group in groups.values()]
            if entries and found and found[-1]["label"] == self.texts[key]:
                found[-1]["entries"] += entries
            elif entries:
                found.append({"label": self.texts[key], "entries": entries})
        places = _group(sites, lambda row: row["site"])
        if places:
            found.insert(0, {"label": self.texts["site"], "entries": [self._site(group[0]) for group in places]})
        return found

    def objectives(self, rows: Sequence[Row]) -> list[View]:
        labels = self.texts["objective"]
        groups = _group(rows, lambda row: row["kind"])
        return [
            {
                "label": labels[group[0]["kind"].rpartition("/")[2]],
                "entries": [
                    {"text": pick(item[0], "text", self.language), "sources": self.citations.cite(item)}
                    for item in _group(group, lambda row: row["node"])
                ],
            }
            for group in groups
        ]

    def relations(self, rows: Sequence[Row]) -> list[View]:
        found = []
        for group in _group(rows, lambda row: row["direction"] + row["role"]):
            role = group[0]["role"].rpartition("/")[2]
            entries = [
                {"other": self._thing(item[0], "other"), "when": self._when(item), "sources": self.citations.cite(item)}
                for item in _group(group, lambda row: row["node"])
            ]
            entries.sort(key=lambda entry: str(entry["other"]["name"]).casefold())  # type: ignore[index]
            found.append({"label": self.texts[group[0]["direction"]].get(role, role), "entries": entries})
        return found

    def fundings(self, rows: Sequence[Row]) -> list[View]:
        found = []
        for group in _group(rows, lambda row: row["node"]):
            merged: dict[str, str] = {}
            for row in group:
                merged |= {key: value for key, value in row.items() if value}
            amount = write_amount(merged, merged.get("currency", ""), texts=self.texts, language=self.language)
            basis = merged.get("basis", "")
            if amount and basis and not basis.endswith("/total"):
                amount = str(self.texts["per"]).format(amount=amount, basis=pick(merged, "basis", self.language))
            funders = {row["funder"]: self._thing(row, "funder") for row in group if row.get("funder")}
            found.append(
                {
                    "funders": list(funders.values()),
                    "recipient": self._thing(merged, "recipient"),
                    "programme": self._thing(merged, "programme") if merged.get("programme") else None,
                    "when": self._when(group),
                    "amount": amount,
                    "sources": self.citations.cite(group),
                }
            )
        return found

    def figures(self, rows: Sequence[Row]) -> list[View]:
        found = []
        for group in _group(rows, lambda row: row["node"]):
            row = group[0]
            unit = pick(row, "unit", self.language) if row.get("unit") else ""
            unit = unit if self.language == "de" else unit.lower()
            unit = {"eur": "EUR", "percent": "%"}.get(row.get("unit", "").rpartition("/")[2], unit)
            value = write_amount(row, unit, texts=self.texts, language=self.language)
            found.append(
                {
                    "kind": row["indicator"],
                    "indicator": pick(row, "indicator", self.language),
                    "value": value or pick(row, "quality", self.language) or row.get("text", ""),
                    "as_of": write_date(row["as_of"], self.language) if row.get("as_of") else "",
                    "preferred": row.get("preferred") == "true",
                    "conflict": bool(row.get("conflict")),
                    "sources": self.citations.cite(group),
                }
            )
        return found

    def engagements(self, rows: Sequence[Row]) -> list[View]:
        """What a hub works on: by list, then by level, the deepest first."""
        groups = {group[0]["scheme"].rpartition("/")[2]: group for group in _group(rows, lambda row: row["scheme"])}
        labels: Mapping[str, str] = self.texts["engagement"]
        return [
            self._engagement_list(scheme, labels.get(scheme, scheme), groups[scheme])
            for scheme in dict.fromkeys([*labels, *groups])
            if scheme in groups
        ]

    def _engagement_list(self, scheme: str, label: str, rows: list[Row]) -> View:
        levels = []
        for level in _group(rows, lambda row: row["level"]):
            concepts = [
                {"name": pick(item[0], "concept", self.language), "path": _link_engaged(scheme, item[0])}
                for item in _group(level, lambda row: row["concept"])
            ]
            concepts.sort(key=lambda concept: concept["name"].casefold())
            levels.append({"level": int(level[0]["level"]), "concepts": concepts})
        as_of = max(row.get("as_of", "") for row in rows)
        return {
            "label": label,
            "as_of": write_date(as_of, self.language) if as_of else "",
            "levels": levels,
            "sources": self.citations.cite(rows),
        }

    def notes(self, own: Mapping[str, list[Row]]) -> list[View]:
        rows = self._in_language(own.get(f"{_CHAP}note", ()))
        return [
            {"text": group[0]["value"], "sources": self.citations.cite(group)}
            for group in _group(rows, lambda row: row["value"])
        ]

    def _fact(self, group: list[Row], *, is_date: bool) -> View:
        row = group[0]
        value = row["value"]
        text = pick(row, "label", self.language) if row.get("label_de") or row.get("label_en") else value
        if is_date:
            text = write_date(value, self.language)
        href = find_href(value) if row.get("value_kind") == "uri" else to_path(value)
        is_outside = href and not href.startswith("/")
        shown = text.removeprefix("https://").removeprefix("http://").rstrip("/") if is_outside else text
        return {"text": shown, "href": href, "sources": self.citations.cite(group)}

    def _site(self, row: Row) -> View:
        place = pick(row, "place", self.language) if row.get("place") else ""
        town = f"{row.get('postcode', '')} {place}".strip()
        # The slug of a place begins with its country; at home that goes without saying.
        abroad = row.get("land") and not row["land"].rpartition("/")[2].startswith(self.texts["home_country"].lower())
        land = pick(row, "land", self.language) if abroad else ""
        text = ", ".join(part for part in (row.get("street", ""), town, land) if part)
        if row.get("host"):
            text = str(self.texts["hosted_at"]).format(host=pick(row, "host", self.language))
        return {"text": text, "href": to_path(row.get("host", "")), "sources": []}

    def _topic(self, row: Row) -> View:
        return {"name": pick(row, "label", self.language), "path": "/hubs?field=" + row["value"].rpartition("/")[2]}

    def _thing(self, row: Row, name: str) -> View:
        return {"name": pick(row, name, self.language), "path": to_path(row.get(name, ""))}

    def _when(self, rows: Sequence[Row]) -> str:
        """The most exact start and end that the sources of a node give."""
        start, end = (max((row.get(name, "") for row in rows), key=len) for name in ("start", "end"))
        end_state = next((row["end_state"] for row in rows if row.get("end_state")), "")
        return write_period(start, end, end_state, texts=self.texts, language=self.language)

    def _in_language(self, rows: Iterable[Row]) -> list[Row]:
        rows = list(rows)
        return [row for row in rows if row.get("value_lang") == self.language] or rows


def _link_engaged(scheme: str, row: Row) -> str:
    """The hubs that work on the same as deeply; where a list is no filter of them, the concept itself."""
    if scheme not in _FILTERS:
        return to_path(row["concept"])
    return "/hubs?" + urlencode({_FILTERS[scheme]: row["concept"].rpartition("/")[2], "level": row["level"]})


def _group(rows: Iterable[Row], key: Callable[[Row], str]) -> list[list[Row]]:
    """Rows with one key together, in the order in which the keys first come."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return list(groups.values())
