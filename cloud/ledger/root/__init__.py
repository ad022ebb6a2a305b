"""Day roots: what a day added to the ledger as one signed hash, for everybody to keep."""
