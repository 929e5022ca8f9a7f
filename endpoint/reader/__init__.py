"""The one reader of SPARQL text: what a stranger wrote becomes tokens, a structure, and a text of ours."""
