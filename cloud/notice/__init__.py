"""What the cloud tells the sites: durable, signed, delivered until acknowledged."""
