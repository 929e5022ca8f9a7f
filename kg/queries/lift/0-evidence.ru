#+ id: lift-0-evidence
#+ summary: Where each row's statements go: the graph of its one source, or a graph of joint evidence.
#+ kind: lift
# A graph of a paragraph is derived from the paragraph and from the page that it is part of.
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX fn: <https://w3id.org/chap/function#>
PREFIX graph: <https://w3id.org/chap/graph/>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

INSERT {
  ?row xyz:graph ?graph .
  GRAPH graph:provenance { ?graph a prov:Entity ; prov:wasDerivedFrom ?source }
}
WHERE {
  {
    SELECT ?row (SAMPLE(?each) AS ?source)
    WHERE { ?row xyz:source_id|xyz:source_ids ?each }
    GROUP BY ?row
    HAVING (COUNT(?each) = 1)
  }
  BIND(fn:mint("graph", "source", ?source) AS ?graph)
} ;

INSERT {
  ?row xyz:graph ?graph .
  GRAPH graph:provenance { ?graph a chap:JointEvidence ; prov:wasDerivedFrom ?source }
}
WHERE {
  {
    SELECT ?row
    WHERE { ?row xyz:source_ids ?each }
    GROUP BY ?row
    HAVING (COUNT(?each) > 1)
  }
  ?row xyz:table ?table ; xyz:id ?id ; xyz:source_ids ?source .
  BIND(fn:mint("graph", "joint", ?table, ?id) AS ?graph)
} ;

INSERT { GRAPH graph:provenance { ?graph prov:wasDerivedFrom ?page } }
WHERE {
  GRAPH graph:provenance { ?graph prov:wasDerivedFrom ?paragraph }
  ?row xyz:table "sources" ; xyz:id ?paragraph ; xyz:part_of ?page .
}
