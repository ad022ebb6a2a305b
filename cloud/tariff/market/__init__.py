"""Series that follow a market: its prices become prices of intervals as they arrive at the hub."""
