"""Writing: tokens, the Graph Store Protocol, SPARQL Update, and the process that carries a write out."""
