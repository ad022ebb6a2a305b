"""Vouchers: codes of the operator that are worth points."""
