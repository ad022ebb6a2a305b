"""What a pull driver is, and what it may use: bounded calls, ways to log in, templates, paging."""
