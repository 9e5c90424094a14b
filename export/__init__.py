"""Exporters: one exported program becomes a file per device, each verified."""
