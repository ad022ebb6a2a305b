"""Who and what: communities, their owners and sites, the sites' keys and trees, and who may speak for whom."""
