"""Write the prefixes of ontology/prefixes.ttl, and the properties of our own, into ontology/context.jsonld.

Run ``python -m tests.ontology.write_context`` after a change of either. How values of the properties of others are
written (``@id``, a datatype, by language) is decided in the context by hand, and stays.
"""

from __future__ import annotations

import json
from pathlib import Path

import pyoxigraph as ox

from kg.rdfio import load_prefixes

_ONTOLOGY = Path(__file__).resolve().parents[2] / "ontology"
_OBJECT_PROPERTY = ox.NamedNode("http://www.w3.org/2002/07/owl#ObjectProperty")


def main() -> None:
    path = _ONTOLOGY / "context.jsonld"
    before = json.loads(path.read_text(encoding="utf-8"))["@context"]
    prefixes = load_prefixes(_ONTOLOGY / "prefixes.ttl")
    terms = {name: value for name, value in before.items() if isinstance(value, dict)}
    for quad in ox.parse(path=str(_ONTOLOGY / "chap.ttl"), format=ox.RdfFormat.TURTLE):
        if quad.object == _OBJECT_PROPERTY and isinstance(quad.subject, ox.NamedNode):
            name = "chap:" + quad.subject.value.removeprefix(prefixes["chap"])
            terms[name] = {"@id": name, "@type": "@id"}
    fixed = {"@version": 1.1, "id": "@id", "type": "@type"}
    entries = [*fixed.items(), *sorted(prefixes.items()), *sorted(terms.items())]
    lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(value)}" for name, value in entries)
    path.write_text(f'{{\n  "@context": {{\n{lines}\n  }}\n}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
