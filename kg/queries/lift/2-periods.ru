#+ id: lift-2-periods
#+ summary: Beside each date as sourced, the days it can mean, one of each kind for a node (ONTOLOGY.md, time).
#+ kind: lift
# Sources that differ in precision narrow the interval; sources that contradict each other widen it.
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX fn: <https://w3id.org/chap/function#>
PREFIX schema: <https://schema.org/>

INSERT { GRAPH ?g { ?node chap:earliestStart ?first ; chap:latestStart ?last } }
WHERE {
  {
    SELECT ?node (MIN(?from) AS ?min_from) (MAX(?from) AS ?max_from) (MIN(?to) AS ?min_to) (MAX(?to) AS ?max_to)
    WHERE {
      GRAPH ?any { ?node schema:startDate ?date }
      BIND(fn:bound(?date, "earliest") AS ?from)
      BIND(fn:bound(?date, "latest") AS ?to)
    }
    GROUP BY ?node
  }
  BIND(IF(?max_from <= ?min_to, ?max_from, ?min_from) AS ?first)
  BIND(IF(?max_from <= ?min_to, ?min_to, ?max_to) AS ?last)
  GRAPH ?g { ?node schema:startDate ?stated }
} ;

INSERT { GRAPH ?g { ?node chap:earliestEnd ?first ; chap:latestEnd ?last } }
WHERE {
  {
    SELECT ?node (MIN(?from) AS ?min_from) (MAX(?from) AS ?max_from) (MIN(?to) AS ?min_to) (MAX(?to) AS ?max_to)
    WHERE {
      GRAPH ?any { ?node schema:endDate ?date }
      BIND(fn:bound(?date, "earliest") AS ?from)
      BIND(fn:bound(?date, "latest") AS ?to)
    }
    GROUP BY ?node
  }
  BIND(IF(?max_from <= ?min_to, ?max_from, ?min_from) AS ?first)
  BIND(IF(?max_from <= ?min_to, ?min_to, ?max_to) AS ?last)
  GRAPH ?g { ?node schema:endDate ?stated }
} ;

# One source knows the end that another leaves open.
DELETE { GRAPH ?g { ?node chap:endState ?state } }
WHERE {
  GRAPH ?g { ?node chap:endState ?state }
  FILTER EXISTS { GRAPH ?any { ?node schema:endDate ?date } }
} ;

# One source says that it goes on, which another could not tell.
DELETE { GRAPH ?g { ?node chap:endState <https://w3id.org/chap/scheme/end-state/unknown> } }
WHERE {
  GRAPH ?g { ?node chap:endState <https://w3id.org/chap/scheme/end-state/unknown> }
  FILTER EXISTS { GRAPH ?any { ?node chap:endState <https://w3id.org/chap/scheme/end-state/ongoing> } }
} ;

# A start without an end, of which no row says more: nobody knows.
INSERT { GRAPH ?g { ?node chap:endState <https://w3id.org/chap/scheme/end-state/unknown> } }
WHERE {
  VALUES ?class { chap:Involvement chap:Funding }
  GRAPH ?g { ?node a ?class ; schema:startDate ?start }
  FILTER NOT EXISTS { GRAPH ?any { ?node schema:endDate ?end } }
  FILTER NOT EXISTS { GRAPH ?other { ?node chap:endState ?state } }
}
