"""Command line: options, file runs, live runs, the web server, batches, the doctor."""
