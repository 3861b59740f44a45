"""Stimuli with known content: recorded or prescribed facial actions at a chosen strength and time."""
