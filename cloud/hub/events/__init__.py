"""What the hub did: every receipt, save, request, extraction, sending and authentication, for ever in order."""
