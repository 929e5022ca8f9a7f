#+ id: lift-1-entities
#+ summary: What all entity tables share: class and kind by the reviewed table of kinds, names, text, page, dates.
#+ kind: lift
#+ tables: organisations clusters hubs programmes places
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX dcterms: <http://purl.org/dc/terms/>
PREFIX foaf: <http://xmlns.com/foaf/0.1/>
PREFIX org: <http://www.w3.org/ns/org#>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX row: <https://w3id.org/chap/row/>
PREFIX schema: <https://schema.org/>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

INSERT {
  GRAPH ?g {
    ?thing a ?class, ?formal ;
      chap:kind ?kind ;
      skos:prefLabel ?name_de, ?name_en ;
      skos:altLabel ?short_name ;
      dcterms:description ?description_de, ?description_en ;
      foaf:homepage ?website ;
      chap:legalForm ?legal_form ;
      schema:foundingDate ?founded ;
      schema:startDate ?start ;
      schema:endDate ?end ;
      chap:endState ?end_state ;
      chap:latestEvidence ?latest_dated_evidence .
  }
  GRAPH row:trace { ?thing prov:wasDerivedFrom ?row }
}
WHERE {
  ?reviewed xyz:table "kinds" ; xyz:of_table ?table ; xyz:kind ?kind_name ; xyz:classes ?class .
  ?row xyz:table ?table ; xyz:kind ?kind_name ; xyz:id ?thing ; xyz:graph ?g .
  OPTIONAL { ?reviewed xyz:concept ?kind }
  OPTIONAL { ?row xyz:name_de ?name_de }
  OPTIONAL { ?row xyz:name_en ?name_en }
  OPTIONAL { ?row xyz:short_name ?short_name }
  OPTIONAL { ?row xyz:description_de ?description_de }
  OPTIONAL { ?row xyz:description_en ?description_en }
  OPTIONAL { ?row xyz:website ?website }
  OPTIONAL { ?row xyz:legal_form ?legal_form BIND(org:FormalOrganization AS ?formal) }
  OPTIONAL { ?row xyz:founded ?founded }
  OPTIONAL { ?row xyz:start ?start }
  OPTIONAL { ?row xyz:end ?end }
  OPTIONAL { ?row xyz:end_state ?end_state }
  OPTIONAL { ?row xyz:latest_dated_evidence ?latest_dated_evidence }
}
