#+ id: link-1-links
#+ summary: Reviewed mappings: the link itself, and beside it who says so, how it was found and how sure it is.
#+ kind: link
PREFIX owl: <http://www.w3.org/2002/07/owl#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX sssom: <https://w3id.org/sssom/>
PREFIX xyz: <http://sparql.xyz/facade-x/data/>

INSERT {
  GRAPH ?g {
    ?subject ?predicate ?object .
    ?link a owl:Axiom ;
      owl:annotatedSource ?subject ;
      owl:annotatedProperty ?predicate ;
      owl:annotatedTarget ?object ;
      sssom:object_label ?object_label ;
      sssom:mapping_justification ?justification ;
      sssom:confidence ?confidence ;
      sssom:author_label ?author ;
      sssom:reviewer_label ?reviewer ;
      sssom:mapping_date ?date ;
      sssom:mapping_source ?source ;
      rdfs:comment ?comment .
  }
}
WHERE {
  ?row xyz:link ?link ; xyz:graph ?g ; xyz:subject ?subject ; xyz:predicate ?predicate ; xyz:object ?object ;
    xyz:object_label ?object_label ; xyz:justification ?justification ; xyz:confidence ?confidence ;
    xyz:reviewer ?reviewer ; xyz:date ?date .
  OPTIONAL { ?row xyz:author ?author }
  OPTIONAL { ?row xyz:source ?source }
  OPTIONAL { ?row xyz:comment ?comment }
}
