"""Energy and registers of the taps of sites, from their signed batches."""
