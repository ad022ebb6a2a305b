"""What was asked of the sites for an owner's credit, and what they reported."""
