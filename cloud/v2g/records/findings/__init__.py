"""What was found not to be in order with the records of cables, with the evidence."""
