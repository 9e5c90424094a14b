"""Pages, the figures that they show, and what writes these into them; not part of the installed package."""
