"""The stored rows as they stand, streamed in the order in which the audit looks at them."""
