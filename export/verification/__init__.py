"""What proves an exported file: tiles, layers' numbers, layer by layer, an interpreter of MIL."""
