#+ id: lift-1-services
#+ summary: The kinds of service that a hub offers.
#+ kind: lift
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX fn: <https://w3id.org/chap/function#>
PREFIX graph: <https://w3id.org/chap/graph/>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX row: <https://w3id.org/chap/row/>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

INSERT {
  GRAPH ?g {
    ?hub chap:offers ?service .
    ?service a chap:Service ;
      chap:offeredBy ?hub ;
      chap:serviceType ?type ;
      skos:prefLabel ?label .
  }
  GRAPH row:trace { ?service prov:wasDerivedFrom ?row }
}
WHERE {
  ?row xyz:services ?type ; xyz:id ?hub ; xyz:graph ?g .
  GRAPH graph:scheme-service-pillar { ?type skos:prefLabel ?label ; skos:notation ?notation }
  BIND(fn:mint("service", ?hub, ?notation) AS ?service)
}
