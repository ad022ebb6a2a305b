"""From a maker's bytes to readings: which format they are in, and what they say."""
