"""What settled intervals come to."""
