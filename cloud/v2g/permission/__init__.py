"""What a cable may do at a site, and why: the site's flag, its grid equipment, its place, and the cable's own state."""
