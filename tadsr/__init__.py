"""The name that people install, and the floor that every command of the project stands on."""
