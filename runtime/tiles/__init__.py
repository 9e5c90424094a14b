"""From a picture to tiles, through an engine, and back into one picture."""
