"""How an owner comes in without staff at the keyboard: an invitation, and what whoever shows its code becomes."""
