"""What is drawn: the mesh's pixels, folds, lids, eyes, mouths and photos, composed into the result."""
