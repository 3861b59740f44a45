"""A file, folder or recorded motion drives a portrait, every frame of it."""
