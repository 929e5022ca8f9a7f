#+ id: lift-1-fundings
#+ summary: Fundings with amounts: who paid whom, how much, under which programme, when and for what.
#+ kind: lift
#+ tables: fundings
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX fn: <https://w3id.org/chap/function#>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX row: <https://w3id.org/chap/row/>
PREFIX schema: <https://schema.org/>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

INSERT {
  GRAPH ?g {
    ?funding a chap:Funding ;
      chap:funder ?funder ;
      chap:recipient ?recipient ;
      chap:underProgramme ?programme ;
      chap:amount ?amount ;
      chap:lower ?lower ;
      chap:upper ?upper ;
      chap:qualifier ?qualifier ;
      schema:currency ?currency ;
      chap:amountBasis ?basis ;
      schema:startDate ?start ;
      schema:endDate ?end ;
      chap:asOf ?as_of ;
      chap:purpose ?purpose_de, ?purpose_en ;
      chap:asSourced ?text .
    ?funder chap:funds ?recipient .
    ?recipient chap:fundedBy ?funder ; chap:fundedUnder ?programme .
    ?programme chap:finances ?recipient .
  }
  GRAPH row:trace { ?funding prov:wasDerivedFrom ?row }
}
WHERE {
  ?row xyz:table "fundings" ; xyz:id ?id ; xyz:graph ?g ; xyz:recipient_id ?recipient .
  OPTIONAL { ?row xyz:funder_ids ?funder }
  OPTIONAL { ?row xyz:programme_id ?programme }
  OPTIONAL { ?row xyz:amount ?amount }
  OPTIONAL { ?row xyz:lower ?lower }
  OPTIONAL { ?row xyz:upper ?upper }
  OPTIONAL { ?row xyz:qualifier ?qualifier }
  OPTIONAL { ?row xyz:currency ?currency }
  OPTIONAL { ?row xyz:amount_basis ?basis }
  OPTIONAL { ?row xyz:start ?start }
  OPTIONAL { ?row xyz:end ?end }
  OPTIONAL { ?row xyz:as_of ?as_of }
  OPTIONAL { ?row xyz:purpose_de ?purpose_de }
  OPTIONAL { ?row xyz:purpose_en ?purpose_en }
  OPTIONAL { ?row xyz:text ?plain . OPTIONAL { ?row xyz:lang ?lang } BIND(IF(BOUND(?lang), STRLANG(?plain, ?lang), ?plain) AS ?text) }
  BIND(fn:mint("funding", ?id) AS ?funding)
}
