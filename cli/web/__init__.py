"""Web server runs: ``--webrtc``, ``--publish``, ``--whep-source``."""
