"""Where a site is registered to be, and how far from there a cable says it is."""
