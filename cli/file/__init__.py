"""File runs: a clip, a folder of frames or recorded motion drives a portrait."""
