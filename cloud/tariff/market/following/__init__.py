"""A series and its market side by side: what is to be taken over, and what stands."""
