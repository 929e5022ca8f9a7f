"""SERVICE, carried out by a gateway of ours: allow-list, checked addresses, limits, cache, batches (decision 0024)."""
