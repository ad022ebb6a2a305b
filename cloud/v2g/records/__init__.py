"""What cables signed: verified by the key that is registered, kept for ever, and what was found not to be in order."""
