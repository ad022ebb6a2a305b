"""Records and reports on their way into the facts of their cable, and what they show beside one another."""
