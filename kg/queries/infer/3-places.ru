#+ id: infer-3-places
#+ summary: A place within a place is within all that this one is within; so are NUTS regions and districts.
#+ kind: infer
PREFIX geo: <http://www.opengis.net/ont/geosparql#>
PREFIX graph: <https://w3id.org/chap/graph/>

INSERT { GRAPH graph:inferred { ?place geo:sfWithin ?wider } }
WHERE {
  # The containment edges stand in several graphs, which a property path does not cross: depth is bounded, so spell it out.
  GRAPH ?g1 { ?place geo:sfWithin ?step1 }
  GRAPH ?g2 { ?step1 geo:sfWithin ?step2 }
  OPTIONAL {
    GRAPH ?g3 { ?step2 geo:sfWithin ?step3 }
    OPTIONAL { GRAPH ?g4 { ?step3 geo:sfWithin ?step4 } OPTIONAL { GRAPH ?g5 { ?step4 geo:sfWithin ?step5 } } }
  }
  VALUES ?depth { 2 3 4 5 }
  BIND(IF(?depth = 2, ?step2, IF(?depth = 3, ?step3, IF(?depth = 4, ?step4, ?step5))) AS ?wider)
  FILTER(BOUND(?wider))
  FILTER NOT EXISTS { GRAPH ?elsewhere { ?place geo:sfWithin ?wider } }
}
