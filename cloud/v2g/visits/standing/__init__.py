"""What a site is told of a cable: what it may do there, and of its own ones what they earned."""
