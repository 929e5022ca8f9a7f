"""Import of the catalogue of European Digital Innovation Hubs: from its export file to tables under ``data/edih``."""
