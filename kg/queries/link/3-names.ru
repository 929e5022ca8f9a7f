#+ id: link-3-names
#+ summary: Concepts of others that ours are mapped to have a name here, so that a reader sees more than a number.
#+ kind: link
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

INSERT { GRAPH ?g { ?object skos:prefLabel ?name } }
WHERE {
  ?row xyz:subject ?subject ; xyz:object ?object ; xyz:object_label ?label ; xyz:graph ?g .
  FILTER(STRSTARTS(STR(?subject), "https://w3id.org/chap/scheme/") && !STRSTARTS(STR(?object), "https://w3id.org/chap/"))
  BIND(STRLANG(?label, "en") AS ?name)
}
