"""Benchmarks: the limit and ours, measured in the same run and printed as ratios; `scripts/bench` runs them."""
