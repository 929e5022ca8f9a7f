"""Installs the environment of the CKAN harvester."""

from tests.harvest.ckan import install

if __name__ == "__main__":
    print(install())
