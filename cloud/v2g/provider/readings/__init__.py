"""The provider's readings of supply points: the witness that no site can speak for."""
