"""Whether every reward and every correction of a host follows from judged periods, signed records and terms."""
