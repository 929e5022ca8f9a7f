"""Documents of things, terms, concepts and graphs: every IRI of ours answers."""
