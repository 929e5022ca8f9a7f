"""Dumps: each dataset of a release whole, in every syntax and as tables, with checksums (decision 0012)."""
