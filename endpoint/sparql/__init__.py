"""SPARQL: the protocol, and the pool of processes that evaluate queries."""
