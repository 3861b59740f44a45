"""Frame after frame: tracking, gaps, gains, rendering; alone, live, or shared by many drivers."""
