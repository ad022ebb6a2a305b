"""What a V2G cable earns its driver, and what its energy changes on its host's bill."""
