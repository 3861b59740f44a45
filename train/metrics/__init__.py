"""Measures of an avatar's fidelity to its driver; torch is needed only by modules that say so."""
