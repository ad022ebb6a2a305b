"""Points taken back for cash, by the rule of the community."""
