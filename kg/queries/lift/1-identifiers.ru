#+ id: lift-1-identifiers
#+ summary: Identifiers in other registers, each a node with its scheme; Wikidata and ROR also as links.
#+ kind: lift
PREFIX adms: <http://www.w3.org/ns/adms#>
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX row: <https://w3id.org/chap/row/>
PREFIX schema: <https://schema.org/>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

INSERT {
  GRAPH ?g {
    ?thing adms:identifier ?identifier ;
      schema:sameAs ?page .
    ?identifier a adms:Identifier ;
      skos:notation ?notation ;
      chap:identifierScheme ?scheme .
  }
  GRAPH row:trace { ?identifier prov:wasDerivedFrom ?row }
}
WHERE {
  VALUES (?column ?name ?resolver) {
    (xyz:wikidata "wikidata" "http://www.wikidata.org/entity/")
    (xyz:ror "ror" "https://ror.org/")
    (xyz:gnd "gnd" "https://d-nb.info/gnd/")
    (xyz:lei "lei" UNDEF)
    (xyz:register "register" UNDEF)
  }
  ?row ?column ?notation ; xyz:id ?thing ; xyz:graph ?g .
  BIND(IRI(CONCAT(STR(?thing), "#", ?name)) AS ?identifier)
  BIND(IRI(CONCAT("https://w3id.org/chap/scheme/identifier-scheme/", ?name)) AS ?scheme)
  BIND(IRI(CONCAT(?resolver, ?notation)) AS ?page)
}
