"""What is told of settled intervals, and of those that wait."""
