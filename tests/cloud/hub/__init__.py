"""The hub: devices of any maker, their logins, formats, messages, and what is read of them."""
