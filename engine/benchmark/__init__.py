"""``mien benchmark``: frames per second and latency on this machine, stage by stage."""
