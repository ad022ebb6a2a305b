"""Direct lines between neighbours: what passes over one is settled between its two owners alone."""
