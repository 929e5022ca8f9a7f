#+ id: lift-2-preferred
#+ summary: Of several figures for one indicator, the one that a reader who wants one value is shown (ONTOLOGY.md).
#+ kind: lift
# The curator's mark comes first; then the newest as-of, then the most sources, then the IRI, so that it is always the same.
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX graph: <https://w3id.org/chap/graph/>

INSERT { GRAPH graph:review { ?figure chap:preferred ?is_preferred } }
WHERE {
  {
    SELECT ?about ?indicator (MAX(?rank) AS ?best) (COUNT(*) AS ?figures)
    WHERE {
      {
        SELECT ?about ?indicator ?each (CONCAT(SUBSTR(CONCAT(MAX(COALESCE(STR(?as_of), "0000")), "-00-00"), 1, 10),
          " ", STR(100 + COUNT(DISTINCT ?g)), " ", STR(?each)) AS ?rank)
        WHERE {
          GRAPH ?g { ?each a chap:Figure ; chap:about ?about ; chap:indicator ?indicator . OPTIONAL { ?each chap:asOf ?as_of } }
        }
        GROUP BY ?about ?indicator ?each
      }
    }
    GROUP BY ?about ?indicator
    HAVING (COUNT(*) > 1)
  }
  GRAPH ?any { ?figure a chap:Figure ; chap:about ?about ; chap:indicator ?indicator }
  FILTER NOT EXISTS {
    GRAPH ?h { ?marked chap:about ?about ; chap:indicator ?indicator }
    GRAPH graph:review { ?marked chap:preferred true }
  }
  BIND(STRENDS(?best, CONCAT(" ", STR(?figure))) AS ?is_preferred)
}
