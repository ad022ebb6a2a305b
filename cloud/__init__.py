"""The settlement house: receives signed readings, settles them in points, and tells everybody where they stand."""
