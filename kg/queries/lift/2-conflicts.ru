#+ id: lift-2-conflicts
#+ summary: Points on which sources differ, as reviewed: the statements stay, marked as in conflict, one preferred.
#+ kind: lift
#+ tables: conflicts
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX fn: <https://w3id.org/chap/function#>
PREFIX graph: <https://w3id.org/chap/graph/>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX row: <https://w3id.org/chap/row/>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

INSERT {
  GRAPH graph:review { ?subject chap:note ?note_de, ?note_en }
  GRAPH row:trace { ?subject prov:wasDerivedFrom ?row }
}
WHERE {
  ?row xyz:table "conflicts" ; xyz:subject_id ?subject .
  OPTIONAL { ?row xyz:topic_de ?topic_de ; xyz:note_de ?text_de BIND(STRLANG(CONCAT(?topic_de, ": ", ?text_de), "de") AS ?note_de) }
  OPTIONAL { ?row xyz:topic_en ?topic_en ; xyz:note_en ?text_en BIND(STRLANG(CONCAT(?topic_en, ": ", ?text_en), "en") AS ?note_en) }
} ;

# Only statements with a node of their own can be marked: figures and fundings.
INSERT { GRAPH graph:review { ?node chap:conflictsWith ?other ; chap:preferred ?is_preferred } }
WHERE {
  ?row xyz:table "conflicts" .
  VALUES (?column ?table ?kind) { (xyz:fact_ids "facts" "figure") (xyz:funding_ids "fundings" "funding") }
  ?row ?column ?id, ?other_id .
  ?this xyz:table ?table ; xyz:id ?id .
  ?that xyz:table ?table ; xyz:id ?other_id .
  BIND(fn:mint(?kind, ?id) AS ?node)
  BIND(fn:mint(?kind, ?other_id) AS ?other)
  FILTER(?node != ?other)
  FILTER EXISTS { GRAPH ?g1 { ?node a ?class } }
  FILTER EXISTS { GRAPH ?g2 { ?other a ?class } }
  OPTIONAL { ?row xyz:preferred_id ?preferred BIND(?id = ?preferred AS ?is_preferred) }
}
