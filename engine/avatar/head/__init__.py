"""The head as a mesh that moves: the avatar's grid, openings, the far side and the back."""
