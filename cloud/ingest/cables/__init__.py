"""What batches say of V2G cables: what a site measured at each, and the records that cables signed themselves."""
