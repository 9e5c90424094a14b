"""The browser app of `apps/web`, from Python: serving it, and making what it stores of a bundle."""
