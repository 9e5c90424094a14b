"""The figures of docs/figures as tables in Markdown, a module per subject; ``docs.render`` says where each goes."""
