"""The batch's ``report.html``."""
