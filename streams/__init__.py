"""Sources and sinks of frames: cameras, files, network streams, windows."""
