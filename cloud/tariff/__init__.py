"""What a Wh costs in a community, from when on: prices are rounded once, when they are taken in."""
