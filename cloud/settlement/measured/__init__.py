"""What was measured in the intervals that are to be settled."""
