"""What a good picture and a good motion are, as numbers that can be differentiated."""
