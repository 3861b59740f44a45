"""The ``paper`` preset at run time: its key points, its tracker, its renderer, its runtimes."""
