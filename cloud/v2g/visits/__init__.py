"""Where cables are plugged in: a site that asks what a cable may do is answered at once."""
