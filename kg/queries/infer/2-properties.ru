#+ id: infer-2-properties
#+ summary: A statement with a property holds with each wider property; a preferred label is a label.
#+ kind: infer
PREFIX graph: <https://w3id.org/chap/graph/>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>

INSERT { GRAPH graph:inferred { ?subject ?wider ?object } }
WHERE {
  { GRAPH graph:ontology { ?property rdfs:subPropertyOf+ ?wider FILTER ISIRI(?wider) } }
  UNION
  { VALUES (?property ?wider) { (skos:prefLabel rdfs:label) } }
  GRAPH ?stated { ?subject ?property ?object }
  FILTER NOT EXISTS { GRAPH ?elsewhere { ?subject ?wider ?object } }
}
