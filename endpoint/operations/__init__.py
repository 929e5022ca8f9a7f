"""For those who run it: health, figures, the log of queries."""
