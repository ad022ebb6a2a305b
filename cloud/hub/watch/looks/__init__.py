"""One look of the watch at a community: what it reads, and what it keeps in one transaction."""
