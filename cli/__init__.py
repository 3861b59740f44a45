"""The front hall: arguments, the file run, the live run, the doctor."""
