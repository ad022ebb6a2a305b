"""A mirror: another machine's own copy of a community's ledger, verified as it grows, whose key signs the roots too."""
