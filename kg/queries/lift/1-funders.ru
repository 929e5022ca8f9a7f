#+ id: lift-1-funders
#+ summary: Who pays for a programme, as its own row names the funder.
#+ kind: lift
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX end-state: <https://w3id.org/chap/scheme/end-state/>
PREFIX fn: <https://w3id.org/chap/function#>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX row: <https://w3id.org/chap/row/>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

INSERT {
  GRAPH ?g {
    ?funding a chap:Funding ;
      chap:funder ?funder ;
      chap:recipient ?programme ;
      chap:endState end-state:unknown .
    ?funder chap:funds ?programme .
    ?programme chap:fundedBy ?funder .
  }
  GRAPH row:trace { ?funding prov:wasDerivedFrom ?row }
}
WHERE {
  ?row xyz:table "programmes" ; xyz:funder_ids ?funder ; xyz:id ?programme ; xyz:graph ?g .
  BIND(fn:mint("funding", ?programme, ?funder) AS ?funding)
}
