"""Run, frame by frame: track -> motion -> render."""
