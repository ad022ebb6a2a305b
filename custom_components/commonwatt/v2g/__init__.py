"""V2G: what a cable signed is believed by its known key alone, and held against the site's meter. Pure."""

from .signed import key_of, verify

__all__ = ["key_of", "verify"]
