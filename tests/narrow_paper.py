"""The shape of a ``paper`` model that tests can afford; without torch."""

NARROW_PAPER = {
    "detector_width": 4,
    "detector_most": 16,
    "detector_blocks": 3,
    "motion_width": 4,
    "motion_most": 16,
    "motion_blocks": 3,
    "generator_width": 8,
    "generator_most": 16,
    "generator_blocks": 1,
}
"""The ``paper`` preset with all its parts, as small as they can be."""
