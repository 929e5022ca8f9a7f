#+ id: lift-0-kinds
#+ summary: Which kind of thing an IRI names, for the mappings that depend on it.
#+ kind: lift
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

INSERT { ?thing xyz:of_kind ?kind }
WHERE { ?row xyz:table "iris" ; xyz:iri ?thing ; xyz:kind ?kind } ;

INSERT { ?concept xyz:of_kind "concept" }
WHERE {
  ?row xyz:table "relations" ; xyz:object_id ?concept .
  FILTER(STRSTARTS(STR(?concept), "https://w3id.org/chap/scheme/"))
}
