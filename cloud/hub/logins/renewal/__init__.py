"""New passwords for connected systems, by staff or by themselves, and the end of all of them."""
