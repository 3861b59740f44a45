"""What a face is: canonical layout, regions, head pose, openings of eyes and mouth."""
