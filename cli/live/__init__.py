"""A camera drives a portrait, live."""
