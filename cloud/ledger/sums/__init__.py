"""What the ledger adds up to: over a time for a statement, over everything for proof."""
