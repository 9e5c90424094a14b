"""Networks, their layers, and how they are built from configurations."""
