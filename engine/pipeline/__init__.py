"""Pipeline: stages in their own threads, joined by links with an explicit policy."""
