#+ id: describe-1-licences
#+ summary: Every graph that the build makes has our own licence, unless it states another.
#+ kind: describe
PREFIX dcterms: <http://purl.org/dc/terms/>
PREFIX graph: <https://w3id.org/chap/graph/>

INSERT { GRAPH graph:provenance { ?graph dcterms:license <http://creativecommons.org/licenses/by/4.0/> } }
WHERE {
  { SELECT DISTINCT ?graph WHERE { { GRAPH ?graph { ?s ?p ?o } } UNION { BIND(graph:provenance AS ?graph) } } }
  FILTER NOT EXISTS { GRAPH graph:provenance { ?graph dcterms:license ?licence } }
}
