"""A tap changes hands: asked for with the tap's passcode, done by the site's own tree from a boundary on."""
