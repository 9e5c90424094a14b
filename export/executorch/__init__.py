"""ExecuTorch programs with XNNPACK, and reading them back."""
