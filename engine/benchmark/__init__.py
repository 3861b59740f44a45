"""``mien benchmark``: frames per second and latency, stage by stage, on this machine."""
