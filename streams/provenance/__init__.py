"""Content credentials (C2PA): recordings signed as synthetic."""
