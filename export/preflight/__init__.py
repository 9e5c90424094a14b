"""What each engine makes of each operation, as tables, and the reading of a program by them."""
