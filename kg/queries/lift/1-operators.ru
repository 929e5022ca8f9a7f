#+ id: lift-1-operators
#+ summary: The operator of a hub and the manager of a cluster, as their own row names them, are involvements.
#+ kind: lift
PREFIX chap: <https://w3id.org/chap/def#>
PREFIX end-state: <https://w3id.org/chap/scheme/end-state/>
PREFIX fn: <https://w3id.org/chap/function#>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX role: <https://w3id.org/chap/scheme/role/>
PREFIX row: <https://w3id.org/chap/row/>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

INSERT {
  GRAPH ?g {
    ?involvement a chap:Involvement ;
      chap:agent ?operator ;
      chap:body ?thing ;
      chap:role role:operator ;
      chap:endState end-state:unknown .
    ?operator chap:operates ?thing .
    ?thing chap:operatedBy ?operator .
  }
  GRAPH row:trace { ?involvement prov:wasDerivedFrom ?row }
}
WHERE {
  ?row xyz:operator_id|xyz:managing_org_id ?operator ; xyz:id ?thing ; xyz:graph ?g .
  BIND(fn:mint("involvement", ?operator, "operator", ?thing) AS ?involvement)
}
