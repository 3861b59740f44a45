"""WebRTC peers that others wrote, each in a process of its own, in a network that has no way out."""
