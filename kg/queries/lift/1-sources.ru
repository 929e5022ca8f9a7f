#+ id: lift-1-sources
#+ summary: The register of sources becomes bibliographic resources.
#+ kind: lift
#+ tables: sources
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX dcterms: <http://purl.org/dc/terms/>
PREFIX foaf: <http://xmlns.com/foaf/0.1/>
PREFIX graph: <https://w3id.org/chap/graph/>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX row: <https://w3id.org/chap/row/>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

INSERT {
  GRAPH graph:sources {
    ?source a dcterms:BibliographicResource ;
      dcterms:title ?title ;
      dcterms:publisher ?publisher ;
      foaf:page ?url ;
      dcterms:date ?date ;
      chap:dateNote ?date_note ;
      dcterms:license ?license ;
      dcterms:isPartOf ?page .
    ?page dcterms:hasPart ?source .
  }
  GRAPH row:trace { ?source prov:wasDerivedFrom ?row }
}
WHERE {
  ?row xyz:table "sources" ; xyz:id ?source ; xyz:title ?title .
  OPTIONAL { ?row xyz:publisher ?publisher }
  OPTIONAL { ?row xyz:url ?url }
  OPTIONAL { ?row xyz:date ?date }
  OPTIONAL { ?row xyz:date_note ?date_note }
  OPTIONAL { ?row xyz:license ?license }
  OPTIONAL { ?row xyz:part_of ?page }
}
