"""Sessions: tracking, gap bridging, gains and rendering, frame by frame; alone, live, or shared."""
