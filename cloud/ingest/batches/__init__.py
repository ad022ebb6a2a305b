"""The evidence: every batch as it was signed, in its chain, and what is still to be derived from it."""
