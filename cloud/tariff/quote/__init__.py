"""What is told of tariffs: as they were written, and as the price of every interval."""
