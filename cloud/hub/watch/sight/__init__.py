"""What was measured nearest to an instant."""
