"""CHAP: the tables, the stages that turn them into a release, and the releases themselves."""
