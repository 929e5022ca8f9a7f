#+ id: lift-1-facts
#+ summary: Facts; data/fact-types.csv says what each property becomes.
#+ kind: lift
#+ tables: facts
PREFIX adms: <http://www.w3.org/ns/adms#>
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX fn: <https://w3id.org/chap/function#>
PREFIX identifier-scheme: <https://w3id.org/chap/scheme/identifier-scheme/>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX row: <https://w3id.org/chap/row/>
PREFIX schema: <https://schema.org/>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

INSERT { ?row xyz:becomes ?becomes ; xyz:term ?term ; xyz:type ?type }
WHERE {
  ?type xyz:table "fact-types" ; xyz:property ?property ; xyz:becomes ?becomes .
  ?row xyz:table "facts" ; xyz:property ?property .
  OPTIONAL { ?type xyz:term ?term }
} ;

# Numbers, and qualities from a scheme.
INSERT {
  GRAPH ?g {
    ?figure a chap:Figure ;
      chap:about ?about ;
      chap:indicator ?indicator ;
      chap:value ?number ;
      chap:lower ?lower ;
      chap:upper ?upper ;
      chap:qualifier ?qualifier ;
      chap:qualitativeValue ?quality ;
      chap:unit ?unit ;
      chap:asOf ?as_of ;
      chap:asSourced ?text ;
      schema:startDate ?start ;
      schema:endDate ?end .
  }
  GRAPH row:trace { ?figure prov:wasDerivedFrom ?row }
}
WHERE {
  VALUES ?becomes { "figure" "qualitative" }
  ?row xyz:becomes ?becomes ; xyz:term ?indicator ; xyz:graph ?g ; xyz:id ?id ; xyz:subject_id ?about .
  OPTIONAL { ?row xyz:value ?value FILTER(?becomes = "figure") BIND(xsd:decimal(?value) AS ?number) }
  OPTIONAL { ?row xyz:lower ?lower }
  OPTIONAL { ?row xyz:upper ?upper }
  OPTIONAL { ?row xyz:qualifier ?qualifier }
  OPTIONAL { ?row xyz:concept ?quality }
  OPTIONAL { ?row xyz:unit ?unit }
  OPTIONAL { ?row xyz:as_of ?as_of }
  OPTIONAL { ?row xyz:text ?plain . OPTIONAL { ?row xyz:lang ?lang } BIND(IF(BOUND(?lang), STRLANG(?plain, ?lang), ?plain) AS ?text) }
  OPTIONAL { ?row xyz:start ?start }
  OPTIONAL { ?row xyz:end ?end }
  BIND(fn:mint("figure", ?id) AS ?figure)
} ;

# Names and notes are texts in a language; a note that is dated says so.
INSERT {
  GRAPH ?g { ?about ?term ?text }
  GRAPH row:trace { ?about prov:wasDerivedFrom ?row }
}
WHERE {
  VALUES ?becomes { "name" "note" }
  ?row xyz:becomes ?becomes ; xyz:term ?term ; xyz:graph ?g ; xyz:subject_id ?about ; xyz:text ?plain .
  OPTIONAL { ?row xyz:lang ?lang }
  OPTIONAL { ?row xyz:becomes "note" ; xyz:as_of ?as_of }
  BIND(CONCAT(IF(COALESCE(?lang, "en") = "de", "Stand ", "As of "), STR(?as_of), ": ") AS ?dated)
  BIND(CONCAT(COALESCE(?dated, ""), ?plain) AS ?whole)
  BIND(IF(BOUND(?lang), STRLANG(?whole, ?lang), ?whole) AS ?text)
} ;

# Properties and periods: a date in the column start, or a text.
INSERT {
  GRAPH ?g { ?about ?term ?value }
  GRAPH row:trace { ?about prov:wasDerivedFrom ?row }
}
WHERE {
  VALUES ?becomes { "property" "period" }
  ?row xyz:becomes ?becomes ; xyz:term ?term ; xyz:graph ?g ; xyz:subject_id ?about .
  OPTIONAL { ?row xyz:start ?start }
  OPTIONAL { ?row xyz:text ?plain . OPTIONAL { ?row xyz:lang ?lang } BIND(IF(BOUND(?lang), STRLANG(?plain, ?lang), ?plain) AS ?text) }
  BIND(COALESCE(?start, ?text) AS ?value)
  FILTER(BOUND(?value))
} ;

# What a plain statement cannot hold, its date of reporting and the words beside its date, stands in a note on the thing.
INSERT { GRAPH ?g { ?about chap:note ?note_de, ?note_en } }
WHERE {
  VALUES ?becomes { "name" "property" "period" }
  ?row xyz:becomes ?becomes ; xyz:type ?type ; xyz:graph ?g ; xyz:subject_id ?about .
  ?type xyz:label_de ?label_de ; xyz:label_en ?label_en .
  OPTIONAL { ?row xyz:start ?start }
  OPTIONAL { ?row xyz:text ?text }
  OPTIONAL { ?row xyz:as_of ?as_of }
  FILTER(BOUND(?as_of) || (BOUND(?start) && BOUND(?text)))
  BIND(STR(COALESCE(?text, ?start)) AS ?value)
  BIND(STRLANG(CONCAT(?label_de, COALESCE(CONCAT(", Stand ", STR(?as_of)), ""), ": ", ?value), "de") AS ?note_de)
  BIND(STRLANG(CONCAT(?label_en, COALESCE(CONCAT(", as of ", STR(?as_of)), ""), ": ", ?value), "en") AS ?note_en)
} ;

# Identifiers in other registers: the property names the scheme.
INSERT {
  GRAPH ?g {
    ?about adms:identifier ?identifier ; schema:sameAs ?page .
    ?identifier a adms:Identifier ; skos:notation ?notation ; chap:identifierScheme ?scheme ; chap:asOf ?as_of .
  }
  GRAPH row:trace { ?identifier prov:wasDerivedFrom ?row }
}
WHERE {
  ?row xyz:becomes "identifier" ; xyz:property ?name ; xyz:graph ?g ; xyz:subject_id ?about ; xyz:text ?notation .
  OPTIONAL { ?row xyz:as_of ?as_of }
  OPTIONAL { VALUES (?name ?resolver) { ("wikidata" "http://www.wikidata.org/entity/") ("ror" "https://ror.org/") } }
  BIND(IRI(CONCAT(STR(?about), "#", ?name)) AS ?identifier)
  BIND(IRI(CONCAT(STR(identifier-scheme:), ?name)) AS ?scheme)
  BIND(IRI(CONCAT(?resolver, ?notation)) AS ?page)
}
