"""What devices publish: taken, acknowledged once it is safe, answered."""
