#+ id: lift-1-identity
#+ summary: The authority for IRIs: since when a thing is here, whether it was merged or withdrawn, and its keys elsewhere.
#+ kind: lift
#+ tables: iris
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX dcterms: <http://purl.org/dc/terms/>
PREFIX graph: <https://w3id.org/chap/graph/>
PREFIX owl: <http://www.w3.org/2002/07/owl#>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX row: <https://w3id.org/chap/row/>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

INSERT {
  GRAPH graph:identity {
    ?thing chap:firstRelease ?release ;
      chap:outsideKey ?key ;
      dcterms:isReplacedBy ?successor ;
      owl:deprecated ?deprecated .
  }
  GRAPH row:trace { ?thing prov:wasDerivedFrom ?row }
}
WHERE {
  ?row xyz:table "iris" ; xyz:iri ?thing ; xyz:first_release ?release ; xyz:state ?state .
  OPTIONAL { ?row xyz:outside_keys ?key }
  OPTIONAL { ?row xyz:replaced_by ?successor }
  BIND(IF(?state = "active", ?unbound, true) AS ?deprecated)
}
