"""Who is told when a balance has moved."""
