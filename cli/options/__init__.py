"""The command line: options and the checking of their values."""
