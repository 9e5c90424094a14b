"""`tadsr upscale`: which pictures become which files, and making them."""
