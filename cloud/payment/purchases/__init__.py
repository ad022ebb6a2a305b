"""Points bought through a payment provider, and what its webhooks say of them."""
