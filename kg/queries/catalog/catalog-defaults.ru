#+ id: catalog-defaults
#+ summary: A part that data/dataset.ttl does not describe gets the texts for such parts; its name follows the title.
#+ kind: construct
PREFIX dcterms: <http://purl.org/dc/terms/>
PREFIX row: <https://w3id.org/chap/row/>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>
INSERT { ?dataset ?property ?text }
WHERE {
  ?dataset xyz:digest ?digest ; xyz:name ?name .
  FILTER NOT EXISTS { ?dataset dcterms:title ?own }
  row:other-part ?property ?value .
  BIND(IF(?property = dcterms:title, STRLANG(CONCAT(STR(?value), " (", ?name, ")"), LANG(?value)), ?value) AS ?text)
}
