"""The avatar over WebRTC: a browser page, WHIP ingest and WHEP players on one HTTP server."""
