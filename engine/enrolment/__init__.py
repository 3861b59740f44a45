"""Enrolment: which of many photos of a person an avatar keeps, and the file that holds them."""
