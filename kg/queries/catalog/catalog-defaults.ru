#+ id: catalog-defaults
#+ summary: A part that data/dataset.ttl does not describe gets the texts for such parts, its name behind the title, and its dumps as its page.
#+ kind: construct
PREFIX dcat: <http://www.w3.org/ns/dcat#>
PREFIX dcterms: <http://purl.org/dc/terms/>
PREFIX row: <https://w3id.org/chap/row/>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>
INSERT { ?dataset ?property ?text ; dcat:landingPage ?dumps }
WHERE {
  ?dataset xyz:digest ?digest ; xyz:name ?name .
  FILTER NOT EXISTS { ?dataset dcterms:title ?own }
  row:other-part ?property ?value .
  row:settings xyz:base ?base .
  BIND(IRI(CONCAT(?base, "/dumps/", ?name)) AS ?dumps)
  BIND(IF(?property = dcterms:title, STRLANG(CONCAT(STR(?value), " (", ?name, ")"), LANG(?value)), ?value) AS ?text)
}
