#+ id: lift-1-objectives
#+ summary: Aims, needs and measures: of whom, for whom, stated by whom.
#+ kind: lift
#+ tables: objectives
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX dcterms: <http://purl.org/dc/terms/>
PREFIX fn: <https://w3id.org/chap/function#>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX row: <https://w3id.org/chap/row/>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

INSERT {
  GRAPH ?g {
    ?objective a chap:Objective ;
      chap:objectiveOf ?whose ;
      chap:kind ?kind ;
      dcterms:description ?description_de, ?description_en ;
      chap:targetGroup ?target_group ;
      chap:focus ?field, ?topic ;
      chap:statedBy ?stated_by .
    ?whose chap:pursues ?objective .
  }
  GRAPH row:trace { ?objective prov:wasDerivedFrom ?row }
}
WHERE {
  ?row xyz:table "objectives" ; xyz:id ?id ; xyz:graph ?g ; xyz:of_ids ?whose ; xyz:kind ?kind .
  OPTIONAL { ?row xyz:description_de ?description_de }
  OPTIONAL { ?row xyz:description_en ?description_en }
  OPTIONAL { ?row xyz:target_group_ids ?target_group }
  OPTIONAL { ?row xyz:field_ids ?field }
  OPTIONAL { ?row xyz:topic_ids ?topic }
  OPTIONAL { ?row xyz:stated_by_id ?stated_by }
  BIND(fn:mint("objective", ?id) AS ?objective)
}
