"""Stages in threads of their own, joined by links with a named policy."""
