#+ id: infer-1-classes
#+ summary: A thing of a class is a thing of each wider class.
#+ kind: infer
PREFIX graph: <https://w3id.org/chap/graph/>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>

INSERT { GRAPH graph:inferred { ?thing a ?wider } }
WHERE {
  GRAPH graph:ontology { ?class rdfs:subClassOf+ ?wider FILTER ISIRI(?wider) }
  GRAPH ?stated { ?thing a ?class }
  FILTER NOT EXISTS { GRAPH ?elsewhere { ?thing a ?wider } }
}
