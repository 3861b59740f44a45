"""Clips are found, cut, tracked and packed once, so that training never waits for landmarks."""
