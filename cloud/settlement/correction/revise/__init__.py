"""Looks for readings that an interval was settled without, and corrects it by them."""
