"""Stand-ins for devices, and makers of small media files."""
