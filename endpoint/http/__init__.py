"""What every route stands on: negotiation, problems, the cache, codings, files, who asks."""
