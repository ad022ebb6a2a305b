"""One interval of one community, settled whole within one transaction."""
