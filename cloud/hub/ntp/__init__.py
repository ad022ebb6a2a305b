"""How far our own clock is from the servers it is compared with."""
