#+ id: lift-1-sites
#+ summary: An organisation's seat as the entity tables give it: the town, and the address where it is known.
#+ kind: lift
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX fn: <https://w3id.org/chap/function#>
PREFIX locn: <http://www.w3.org/ns/locn#>
PREFIX org: <http://www.w3.org/ns/org#>
PREFIX precision: <https://w3id.org/chap/scheme/precision/>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX row: <https://w3id.org/chap/row/>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX wgs: <http://www.w3.org/2003/01/geo/wgs84_pos#>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

INSERT {
  GRAPH ?g {
    ?thing org:hasSite ?site .
    ?site a org:Site ;
      org:siteOf ?thing ;
      chap:place ?place ;
      chap:precision ?precision ;
      wgs:lat ?lat ;
      wgs:long ?lon ;
      locn:address ?address .
    ?address a locn:Address ;
      locn:thoroughfare ?street ;
      locn:postCode ?postcode ;
      locn:postName ?town .
  }
  GRAPH row:trace { ?site prov:wasDerivedFrom ?row . ?address prov:wasDerivedFrom ?row }
}
WHERE {
  ?row xyz:city_id ?place ; xyz:id ?thing ; xyz:graph ?g .
  BIND(fn:mint("site", ?thing, ?place) AS ?site)
  OPTIONAL { ?row xyz:lat ?lat ; xyz:lon ?lon }
  OPTIONAL {
    ?row xyz:street ?street .
    ?place_row xyz:table "places" ; xyz:id ?place .
    OPTIONAL { ?place_row xyz:name_de ?german }
    OPTIONAL { ?place_row xyz:name_en ?english }
    BIND(COALESCE(?german, ?english) AS ?town_name)
    BIND(STR(?town_name) AS ?town)
    OPTIONAL { ?row xyz:postcode ?postcode }
  }
  BIND(IF(BOUND(?street), IRI(CONCAT(STR(?site), "#address")), ?unbound) AS ?address)
  OPTIONAL { ?seat xyz:table "places" ; xyz:id ?place ; xyz:kind ?place_kind }
  BIND(IF(BOUND(?lat), precision:address, IF(?place_kind IN ("city", "municipality"), precision:town, precision:region)) AS ?precision)
}
