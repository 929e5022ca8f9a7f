#+ id: lift-1-relations
#+ summary: Relations between things; data/relation-types.csv says what each becomes for which kinds of subject and object.
#+ kind: lift
#+ tables: relations
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX fn: <https://w3id.org/chap/function#>
PREFIX org: <http://www.w3.org/ns/org#>
PREFIX precision: <https://w3id.org/chap/scheme/precision/>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX row: <https://w3id.org/chap/row/>
PREFIX schema: <https://schema.org/>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

# The reviewed type of each row: everything below starts from it.
INSERT { ?row xyz:type ?type ; xyz:becomes ?becomes }
WHERE {
  ?type xyz:table "relation-types" ; xyz:relation ?relation ; xyz:subject_kinds ?subject_kind ; xyz:object_kinds ?object_kind ;
    xyz:becomes ?becomes .
  ?row xyz:table "relations" ; xyz:relation ?relation ; xyz:subject_id ?subject ; xyz:object_id ?object .
  ?subject xyz:of_kind ?subject_kind .
  ?object xyz:of_kind ?object_kind .
} ;

# Involvements; those with a membership role in an organisation or forum are org:Memberships too.
INSERT {
  GRAPH ?g {
    ?node a chap:Involvement, ?membership ;
      chap:agent ?agent ;
      chap:body ?body ;
      chap:role ?role ;
      org:member ?member ;
      org:organization ?organization ;
      org:role ?member_role ;
      schema:startDate ?start ;
      schema:endDate ?end ;
      chap:endState ?end_state ;
      chap:note ?note .
    ?agent ?shortcut ?body .
    ?body ?inverse ?agent .
  }
  GRAPH row:trace { ?node prov:wasDerivedFrom ?row }
}
WHERE {
  VALUES ?becomes { "involvement" "membership" }
  ?row xyz:becomes ?becomes ; xyz:type ?type ; xyz:graph ?g ; xyz:subject_id ?agent ; xyz:object_id ?body .
  ?type xyz:role ?role ; xyz:shortcut ?shortcut ; xyz:inverse ?inverse .
  OPTIONAL { ?row xyz:start ?start }
  OPTIONAL { ?row xyz:end ?end }
  OPTIONAL { ?row xyz:end_state ?end_state }
  OPTIONAL { ?row xyz:note_en ?note }
  OPTIONAL { ?row xyz:period_key ?period }
  BIND(fn:mint("involvement", ?agent, REPLACE(STR(?role), "^.*/", ""), ?body, COALESCE(?period, "")) AS ?node)
  BIND(IF(?becomes = "membership", org:Membership, ?none) AS ?membership)
  BIND(IF(?becomes = "membership", ?agent, ?none) AS ?member)
  BIND(IF(?becomes = "membership", ?body, ?none) AS ?organization)
  BIND(IF(?becomes = "membership", ?role, ?none) AS ?member_role)
} ;

# Who pays, or under which programme.
INSERT {
  GRAPH ?g {
    ?node a chap:Funding ;
      chap:funder ?funder ;
      chap:recipient ?recipient ;
      chap:underProgramme ?programme ;
      schema:startDate ?start ;
      schema:endDate ?end ;
      chap:endState ?end_state ;
      chap:note ?note .
    ?subject ?shortcut ?object .
    ?object ?inverse ?subject .
  }
  GRAPH row:trace { ?node prov:wasDerivedFrom ?row }
}
WHERE {
  ?row xyz:becomes "funding" ; xyz:type ?type ; xyz:graph ?g ; xyz:relation ?relation ; xyz:subject_id ?subject ; xyz:object_id ?object .
  ?type xyz:shortcut ?shortcut ; xyz:inverse ?inverse .
  OPTIONAL { ?row xyz:start ?start }
  OPTIONAL { ?row xyz:end ?end }
  OPTIONAL { ?row xyz:end_state ?end_state }
  OPTIONAL { ?row xyz:note_en ?note }
  BIND(IF(?relation = "funds", ?subject, ?none) AS ?funder)
  BIND(IF(?relation = "funds", ?object, ?subject) AS ?recipient)
  BIND(IF(?relation = "funds", ?none, ?object) AS ?programme)
  # One funding that data/fundings.csv knows with the same ends is the same node; of several, none can be chosen.
  OPTIONAL {
    {
      SELECT ?recipient ?payer (SAMPLE(?id) AS ?known)
      WHERE { ?funding xyz:table "fundings" ; xyz:id ?id ; xyz:recipient_id ?recipient ; xyz:funder_ids|xyz:programme_id ?payer }
      GROUP BY ?recipient ?payer
      HAVING (COUNT(?id) = 1)
    }
    FILTER(?payer = COALESCE(?funder, ?programme))
  }
  BIND(IF(?relation = "funds", fn:mint("funding", ?object, ?subject), fn:mint("funding", ?subject, "under", ?object)) AS ?own)
  BIND(COALESCE(IF(BOUND(?known), fn:mint("funding", ?known), ?none), ?own) AS ?node)
} ;

# Statements without a node of their own.
INSERT {
  GRAPH ?g { ?subject ?shortcut ?object . ?object ?inverse ?subject . ?changed ?changed_by ?change }
  GRAPH ?g {
    ?change a org:ChangeEvent ; org:originalOrganization ?subject ; org:resultingOrganization ?object ; schema:startDate ?start .
  }
  GRAPH row:trace { ?subject prov:wasDerivedFrom ?row . ?change prov:wasDerivedFrom ?row }
}
WHERE {
  VALUES ?becomes { "direct" "focus" "succession" }
  ?row xyz:becomes ?becomes ; xyz:type ?type ; xyz:graph ?g ; xyz:subject_id ?subject ; xyz:object_id ?object .
  OPTIONAL { ?type xyz:shortcut ?shortcut }
  OPTIONAL { ?type xyz:inverse ?inverse }
  OPTIONAL { ?row xyz:becomes "succession" ; xyz:start ?start . ?subject xyz:of_kind ?kind . FILTER(?kind = "organisation") }
  BIND(IF(BOUND(?start), IRI(CONCAT(STR(?object), "#change-from-", REPLACE(STR(?subject), "^.*/", ""))), ?none) AS ?change)
  BIND(IF(BOUND(?start), ?object, ?none) AS ?changed)
  BIND(IF(BOUND(?start), org:resultedFrom, ?none) AS ?changed_by)
} ;

# Where an organisation is: in a place, or in the house of another organisation.
INSERT {
  GRAPH ?g {
    ?subject org:hasSite ?site .
    ?site a org:Site ; org:siteOf ?subject ; chap:place ?place ; chap:hostedBy ?host ; chap:precision ?precision ;
      schema:startDate ?start ; schema:endDate ?end ; chap:note ?note .
  }
  GRAPH row:trace { ?site prov:wasDerivedFrom ?row }
}
WHERE {
  ?row xyz:becomes "site" ; xyz:graph ?g ; xyz:subject_id ?subject ; xyz:object_id ?object .
  ?object xyz:of_kind ?kind .
  OPTIONAL { ?row xyz:start ?start }
  OPTIONAL { ?row xyz:end ?end }
  BIND(IF(?kind = "place", ?object, ?none) AS ?place)
  BIND(IF(?kind = "place", ?none, ?object) AS ?host)
  OPTIONAL { ?row xyz:note_en ?note }
  OPTIONAL {
    ?place_row xyz:table "places" ; xyz:id ?object ; xyz:kind ?place_kind .
    BIND(IF(?place_kind IN ("city", "municipality"), precision:town, precision:region) AS ?precision)
  }
  BIND(fn:mint("site", ?subject, ?object) AS ?site)
}
