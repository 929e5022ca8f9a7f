#+ id: link-4-graphs
#+ summary: Where the links stand: in the graph of the source that asserts them, or in that of their set, with its licence.
#+ kind: link
PREFIX dcterms: <http://purl.org/dc/terms/>
PREFIX graph: <https://w3id.org/chap/graph/>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

INSERT { GRAPH graph:provenance { ?g a prov:Entity ; prov:wasDerivedFrom ?source } }
WHERE { ?row xyz:link ?link ; xyz:graph ?g ; xyz:source ?source } ;

INSERT { GRAPH graph:provenance { ?g a prov:Entity ; prov:wasDerivedFrom ?source ; dcterms:title ?title ; dcterms:license ?licence } }
WHERE {
  ?g xyz:title ?title ; xyz:licence ?licence ; xyz:source ?source .
  FILTER EXISTS { ?row xyz:graph ?g }
}
