"""Points for money and money for points: bought, given for vouchers, redeemed, and passed on."""
