"""What goes with a statement so that its owner can verify it alone: entries, documents, inclusion in signed roots."""
