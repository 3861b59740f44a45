"""Cameras through OpenCV: devices, their listing, and frames from them."""
