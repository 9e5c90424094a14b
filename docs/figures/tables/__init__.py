"""The figures of the JSON files one folder up as Markdown, a module per subject; ``render.py`` says where each goes."""
