"""The driver's own mouth in the avatar's: what the camera sees between the driver's lips."""
