"""Face geometry: canonical layout, regions, head pose, openings of eyes and mouth."""
