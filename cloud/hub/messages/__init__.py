"""What connected systems sent, byte for byte, and what became of it."""
