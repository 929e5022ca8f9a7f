#+ id: lift-1-edih-more
#+ summary: What other sources say of catalogued hubs: websites, and the NUTS regions that postcodes give, apart by their licence.
#+ kind: lift
#+ tables: edih/websites edih/nuts
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX dcterms: <http://purl.org/dc/terms/>
PREFIX fn: <https://w3id.org/chap/function#>
PREFIX foaf: <http://xmlns.com/foaf/0.1/>
PREFIX graph: <https://w3id.org/chap/graph/>
PREFIX nuts: <http://data.europa.eu/nuts/code/>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX row: <https://w3id.org/chap/row/>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

INSERT {
  GRAPH ?g { ?hub ?property ?website }
  GRAPH row:trace { ?hub prov:wasDerivedFrom ?row }
}
WHERE {
  VALUES (?kind ?property) { ("homepage" foaf:homepage) ("catalogue-page" foaf:page) }
  ?row xyz:table "edih/websites" ; xyz:kind ?kind ; xyz:hub_id ?hub ; xyz:website ?website ; xyz:graph ?g .
} ;

# The seat of the hub, not the area that it serves. The licence of the source is not an open one.
INSERT {
  GRAPH graph:edih-nuts { ?site chap:nutsCode ?region }
  GRAPH graph:provenance { graph:edih-nuts a prov:Entity ; prov:wasDerivedFrom ?source ; dcterms:license ?licence }
  GRAPH row:trace { ?site prov:wasDerivedFrom ?row }
}
WHERE {
  ?row xyz:table "edih/nuts" ; xyz:hub_id ?hub ; xyz:nuts ?code ; xyz:source ?source .
  ?register xyz:table "sources" ; xyz:id ?source ; xyz:license ?licence .
  ?seat xyz:table "edih/hubs" ; xyz:id ?hub ; xyz:country_id ?country .
  OPTIONAL { ?seat xyz:city_id ?city }
  BIND(fn:mint("site", ?hub, COALESCE(?city, ?country)) AS ?site)
  BIND(IRI(CONCAT(STR(nuts:), ?code)) AS ?region)
}
