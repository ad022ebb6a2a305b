"""How long a community's hub keeps its event log and the bytes that arrived."""
