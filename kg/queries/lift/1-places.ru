#+ id: lift-1-places
#+ summary: Where places are: what they are within, NUTS and district codes, and coordinates with their own source.
#+ kind: lift
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX fn: <https://w3id.org/chap/function#>
PREFIX geo: <http://www.opengis.net/ont/geosparql#>
PREFIX graph: <https://w3id.org/chap/graph/>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX schema: <https://schema.org/>
PREFIX wgs: <http://www.w3.org/2003/01/geo/wgs84_pos#>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

INSERT { GRAPH ?g { ?place geo:sfWithin ?wider, ?nuts, ?district ; chap:nutsCode ?nuts ; chap:districtKey ?district } }
WHERE {
  ?row xyz:table "places" ; xyz:id ?place ; xyz:graph ?g .
  OPTIONAL { ?row xyz:within_id ?wider }
  OPTIONAL { ?row xyz:nuts ?nuts_code BIND(IRI(CONCAT("http://data.europa.eu/nuts/code/", ?nuts_code)) AS ?nuts) }
  OPTIONAL {
    ?row xyz:district_key ?key
    BIND(IRI(CONCAT("http://dcat-ap.de/def/politicalGeocoding/districtKey/", ?key)) AS ?district)
  }
} ;

INSERT {
  GRAPH ?g { ?place wgs:lat ?lat ; wgs:long ?lon ; schema:sameAs ?geonames }
  GRAPH graph:provenance { ?g a prov:Entity ; prov:wasDerivedFrom ?source }
}
WHERE {
  ?row xyz:table "places" ; xyz:id ?place ; xyz:coordinates_source_id ?source .
  BIND(fn:mint("graph", "source", ?source) AS ?g)
  OPTIONAL { ?row xyz:lat ?lat ; xyz:lon ?lon }
  OPTIONAL { ?row xyz:geonames ?number BIND(IRI(CONCAT("https://sws.geonames.org/", STR(?number), "/")) AS ?geonames) }
}
