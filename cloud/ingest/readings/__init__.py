"""What the batches say, one row per boundary tap and interval: what settlement reads."""
