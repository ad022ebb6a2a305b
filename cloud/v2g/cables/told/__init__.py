"""A cable in another state, and the sites where it is told so at once."""
