"""Whether every purchase, voucher, redemption and gift has moved the points it must, and nothing else has."""
