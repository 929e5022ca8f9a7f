#+ id: link-2-identifiers
#+ summary: A link of a thing into a register is an identifier of it there, as it is when a table gives it.
#+ kind: link
PREFIX adms: <http://www.w3.org/ns/adms#>
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

INSERT {
  GRAPH ?g {
    ?thing adms:identifier ?identifier .
    ?identifier a adms:Identifier ;
      skos:notation ?notation ;
      chap:identifierScheme ?scheme .
  }
}
WHERE {
  VALUES (?name ?space) {
    ("wikidata" "http://www.wikidata.org/entity/")
    ("ror" "https://ror.org/")
    ("gnd" "https://d-nb.info/gnd/")
    ("lei" "https://search.gleif.org/#/record/")
  }
  ?row xyz:subject ?thing ; xyz:object ?object ; xyz:graph ?g .
  FILTER(STRSTARTS(STR(?thing), "https://w3id.org/chap/id/") && STRSTARTS(STR(?object), ?space))
  BIND(STRAFTER(STR(?object), ?space) AS ?notation)
  BIND(IRI(CONCAT(STR(?thing), "#", ?name)) AS ?identifier)
  BIND(IRI(CONCAT("https://w3id.org/chap/scheme/identifier-scheme/", ?name)) AS ?scheme)
}
