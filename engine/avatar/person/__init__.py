"""The person of a portrait and what is behind: segmentation, layers, matte, outline, what covers a face."""
