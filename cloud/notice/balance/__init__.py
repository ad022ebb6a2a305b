"""What sites are told of balances."""
