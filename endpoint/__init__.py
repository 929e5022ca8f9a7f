"""CHAP's HTTP side: a SPARQL endpoint, a thin API and web pages over a release."""
