"""Pictures in and out: what a file or an array holds becomes float RGB, and the result goes back the way it came."""
