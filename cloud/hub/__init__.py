"""The hub: any maker's device and cloud, one record by measurement time, open to upper systems."""
