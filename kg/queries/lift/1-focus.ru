#+ id: lift-1-focus
#+ summary: What clusters and hubs work on, where, who runs them, and what hubs offer.
#+ kind: lift
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX dcterms: <http://purl.org/dc/terms/>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

INSERT {
  GRAPH ?g {
    ?thing chap:focus ?field, ?topic ;
      chap:otherField ?other_field ;
      dcterms:spatial ?region ;
      chap:regionText ?region_text ;
      chap:status ?status .
  }
}
WHERE {
  VALUES ?table { "clusters" "hubs" }
  ?row xyz:table ?table ; xyz:id ?thing ; xyz:graph ?g .
  OPTIONAL { ?row xyz:field_ids ?field }
  OPTIONAL { ?row xyz:topic_ids ?topic }
  OPTIONAL { ?row xyz:other_fields ?other_field }
  OPTIONAL { ?row xyz:region_id ?region }
  OPTIONAL { ?row xyz:region_text ?region_text }
  OPTIONAL { ?row xyz:status ?status }
}
