"""Training data: clips are found, cropped, tracked and packed once, so training never waits for landmarks."""
