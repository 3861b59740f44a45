"""Live runs: a camera or network stream drives a portrait."""
