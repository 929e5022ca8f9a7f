#+ id: lift-1-edih
#+ summary: The catalogue of European Digital Innovation Hubs, in a graph of its own: hubs, types by date, levels.
#+ kind: lift
#+ tables: edih/exports edih/hubs edih/statuses edih/former edih/engagements edih/unmatched
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX dcterms: <http://purl.org/dc/terms/>
PREFIX edih-type: <https://w3id.org/chap/scheme/edih-type/>
PREFIX fn: <https://w3id.org/chap/function#>
PREFIX foaf: <http://xmlns.com/foaf/0.1/>
PREFIX graph: <https://w3id.org/chap/graph/>
PREFIX hub-kind: <https://w3id.org/chap/scheme/hub-kind/>
PREFIX indicator: <https://w3id.org/chap/scheme/indicator/>
PREFIX locn: <http://www.w3.org/ns/locn#>
PREFIX org: <http://www.w3.org/ns/org#>
PREFIX precision: <https://w3id.org/chap/scheme/precision/>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX row: <https://w3id.org/chap/row/>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

# Which exports the graph rests on.
INSERT {
  GRAPH graph:provenance { graph:edih-catalogue a prov:Entity ; prov:wasDerivedFrom ?source }
  GRAPH row:trace { graph:edih-catalogue prov:wasDerivedFrom ?row }
}
WHERE { ?row xyz:table "edih/exports" ; xyz:source_id ?source } ;

# A hub that another table describes has its name and kind from there; what the catalogue calls it is a further name.
INSERT { ?row xyz:described true }
WHERE {
  ?row xyz:table "edih/hubs" ; xyz:id ?hub .
  ?other xyz:table ?table ; xyz:id ?hub ; xyz:name_de|xyz:name_en ?name .
  FILTER(?table IN ("hubs", "clusters", "organisations"))
} ;

INSERT {
  GRAPH graph:edih-catalogue {
    ?hub a chap:Hub ;
      chap:kind ?kind ;
      skos:prefLabel ?label ;
      skos:altLabel ?further, ?short ;
      foaf:homepage ?website .
  }
  GRAPH row:trace { ?hub prov:wasDerivedFrom ?row }
}
WHERE {
  ?row xyz:table "edih/hubs" ; xyz:id ?hub ; xyz:name ?name ; xyz:title ?title .
  OPTIONAL { ?row xyz:described ?described }
  OPTIONAL { ?row xyz:website ?website }
  BIND(IF(BOUND(?described), ?unbound, hub-kind:digital-innovation-hub) AS ?kind)
  BIND(IF(BOUND(?described), ?unbound, ?title) AS ?label)
  BIND(IF(BOUND(?described), ?title, ?unbound) AS ?further)
  # Acronyms carry no language (ONTOLOGY.md).
  BIND(IF(STR(?name) = STR(?title), ?unbound, ?name) AS ?short)
} ;

INSERT {
  GRAPH graph:edih-catalogue {
    ?hub org:hasSite ?site .
    ?site a org:Site ;
      org:siteOf ?hub ;
      chap:place ?place ;
      chap:precision ?precision ;
      locn:address ?address .
    ?address a locn:Address ;
      locn:thoroughfare ?street ;
      locn:postCode ?postcode ;
      locn:postName ?town .
  }
  GRAPH row:trace { ?site prov:wasDerivedFrom ?row . ?address prov:wasDerivedFrom ?row }
}
WHERE {
  ?row xyz:table "edih/hubs" ; xyz:id ?hub ; xyz:country_id ?country .
  OPTIONAL { ?row xyz:city_id ?city }
  BIND(COALESCE(?city, ?country) AS ?place)
  BIND(IF(BOUND(?city), precision:town, precision:region) AS ?precision)
  BIND(fn:mint("site", ?hub, ?place) AS ?site)
  OPTIONAL { ?row xyz:street ?street ; xyz:town ?town . OPTIONAL { ?row xyz:postcode ?postcode } }
  # Outside the OPTIONAL, in which the site is not known (SPARQL 1.1 Query, section 18.2.1).
  BIND(IF(BOUND(?street), IRI(CONCAT(STR(?site), "#address")), ?unbound) AS ?address)
} ;

# The type of an entry changes: it is a dated quality, never a class.
INSERT {
  GRAPH graph:edih-catalogue {
    ?figure a chap:Figure ;
      chap:about ?hub ;
      chap:indicator indicator:edih-type ;
      chap:qualitativeValue ?type ;
      chap:asOf ?as_of .
  }
  GRAPH row:trace { ?figure prov:wasDerivedFrom ?row }
}
WHERE {
  ?row xyz:table "edih/statuses" ; xyz:hub_id ?hub ; xyz:type ?type ; xyz:as_of ?as_of .
  BIND(fn:mint("figure", ?hub, "edih-type", STR(?as_of)) AS ?figure)
} ;

# What a hub was called before.
INSERT {
  GRAPH graph:edih-catalogue { ?hub chap:formerName ?name ; chap:note ?note_de, ?note_en }
  GRAPH row:trace { ?hub prov:wasDerivedFrom ?row }
}
WHERE {
  ?row xyz:table "edih/former" ; xyz:hub_id ?hub ; xyz:value ?value ; xyz:last_seen ?day .
  BIND(STRLANG(?value, "en") AS ?name)
  BIND(STRLANG(CONCAT("Im EDIH-Katalog zuletzt am ", STR(?day), " so genannt: ", ?value), "de") AS ?note_de)
  BIND(STRLANG(CONCAT("So called in the EDIH catalogue, last on ", STR(?day), ": ", ?value), "en") AS ?note_en)
} ;

# One node for a hub and a concept; the shortcut says that it works on it, on any level.
INSERT {
  GRAPH graph:edih-catalogue {
    ?engagement a chap:Engagement ;
      chap:engagedHub ?hub ;
      chap:engagedConcept ?concept ;
      chap:level ?level ;
      chap:asOf ?as_of ;
      chap:note ?note_de, ?note_en .
    ?hub chap:worksOn ?concept .
  }
  GRAPH row:trace { ?engagement prov:wasDerivedFrom ?row }
}
WHERE {
  ?row xyz:table "edih/engagements" ; xyz:hub_id ?hub ; xyz:concept ?concept ; xyz:level ?level .
  ?listed xyz:table "edih/hubs" ; xyz:id ?hub ; xyz:last_seen ?as_of .
  BIND(REPLACE(STR(?concept), "^.*/scheme/", "") AS ?path)
  BIND(fn:mint("engagement", ?hub, STRBEFORE(?path, "/"), STRAFTER(?path, "/")) AS ?engagement)
  OPTIONAL {
    ?row xyz:lower_level ?lower .
    BIND(STRLANG(CONCAT("Derselbe Abzug nennt auch Stufe ", STR(?lower), "."), "de") AS ?note_de)
    BIND(STRLANG(CONCAT("The same export gives level ", STR(?lower), " too."), "en") AS ?note_en)
  }
} ;

# Labels that no scheme knows yet stay as text.
INSERT {
  GRAPH graph:edih-catalogue { ?hub chap:otherField ?label }
  GRAPH row:trace { ?hub prov:wasDerivedFrom ?row }
}
WHERE {
  ?row xyz:table "edih/unmatched" ; xyz:hub_id ?hub ; xyz:label ?text .
  OPTIONAL { ?row xyz:level ?level }
  BIND(STRLANG(CONCAT(?text, COALESCE(CONCAT(" - ", STR(?level)), "")), "en") AS ?label)
}
