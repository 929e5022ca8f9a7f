#+ id: lift-1-regions
#+ summary: NUTS regions and German districts: labels, and what each lies within.
#+ kind: lift
#+ tables: nuts districts
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX geo: <http://www.opengis.net/ont/geosparql#>
PREFIX place-kind: <https://w3id.org/chap/scheme/place-kind/>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX row: <https://w3id.org/chap/row/>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

INSERT {
  GRAPH ?g {
    ?region a skos:Concept ; skos:notation ?code ; skos:prefLabel ?name_de, ?name_en ; skos:broader ?wider ; geo:sfWithin ?wider .
  }
  GRAPH row:trace { ?region prov:wasDerivedFrom ?row }
}
WHERE {
  ?row xyz:table "nuts" ; xyz:code ?code ; xyz:graph ?g .
  BIND(IRI(CONCAT("http://data.europa.eu/nuts/code/", ?code)) AS ?region)
  OPTIONAL { ?row xyz:name_de ?name_de }
  OPTIONAL { ?row xyz:name_en ?name_en }
  OPTIONAL { ?row xyz:broader ?broader BIND(IRI(CONCAT("http://data.europa.eu/nuts/code/", ?broader)) AS ?wider) }
} ;

INSERT {
  GRAPH ?g {
    ?district a skos:Concept ; skos:notation ?key ; skos:prefLabel ?name_de, ?name_en ; geo:sfWithin ?nuts ; chap:kind ?kind .
  }
  GRAPH row:trace { ?district prov:wasDerivedFrom ?row }
}
WHERE {
  ?row xyz:table "districts" ; xyz:key ?key ; xyz:name_de ?name_de ; xyz:graph ?g .
  BIND(IRI(CONCAT("http://dcat-ap.de/def/politicalGeocoding/districtKey/", ?key)) AS ?district)
  OPTIONAL { ?row xyz:name_en ?name_en }
  OPTIONAL { ?row xyz:kind ?name BIND(IRI(CONCAT(STR(place-kind:), ?name)) AS ?kind) }
  OPTIONAL { ?row xyz:nuts ?code BIND(IRI(CONCAT("http://data.europa.eu/nuts/code/", ?code)) AS ?nuts) }
}
