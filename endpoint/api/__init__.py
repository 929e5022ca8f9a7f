"""The thin API: a stored query plus a response in JSON-LD, nothing that SPARQL users cannot have."""
