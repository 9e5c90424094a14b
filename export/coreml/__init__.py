"""Core ML packages, and reading them back."""
