"""The change feed: an append-only directory beside the releases, which outlives them (decision 0014)."""
