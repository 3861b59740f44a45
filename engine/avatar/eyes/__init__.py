"""Lids and brows: how far they go on another face, and the shade and line of a shut eye."""
