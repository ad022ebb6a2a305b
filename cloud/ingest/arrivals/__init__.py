"""Batches that arrive together: looked up together, judged one by one, written together."""
