"""Links to what others identify: reviewed mappings become statements, everything else stays a proposal."""
