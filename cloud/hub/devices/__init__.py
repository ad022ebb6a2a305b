"""Connected systems: what they are, who made them, where they stand."""
