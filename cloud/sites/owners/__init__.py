"""Owners' records: who pays and is paid at a tap, how to reach them, and who changed what of it."""
