"""Lips on another face: their shape, contact, edges and limits, and mouths that become narrow."""
