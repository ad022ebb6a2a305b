"""Grid equipment with the sites it feeds, and its demand rates for as long as they hold."""
