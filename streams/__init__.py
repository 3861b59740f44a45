"""Frames come in and go out: cameras, files, windows."""
