"""Sites that hang below another site: from when on, and below which of its taps."""
