"""Descriptions of a release for portals, agents and editors: the DCAT-AP.de catalogue, VoID, example queries."""
