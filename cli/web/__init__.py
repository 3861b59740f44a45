"""The web server: ``--webrtc``, ``--publish``, ``--whep-source``."""
