"""What batches say of cables, held against the rows that were derived from them."""
