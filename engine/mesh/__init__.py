"""The face as a mesh that is rendered: its triangles, the head around it, the rasterizer."""
