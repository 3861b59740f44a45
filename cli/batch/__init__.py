"""``mien generate``: many portraits driven by many clips."""
