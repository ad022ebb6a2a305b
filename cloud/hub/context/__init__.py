"""Context data: market prices, weather and load, as readings of devices of kind `context`."""
