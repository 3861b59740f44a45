"""Measures of what an avatar makes of its driver; nothing here needs torch unless its module says so."""
