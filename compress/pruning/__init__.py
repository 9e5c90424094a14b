"""Structured pruning: channel groups, their importance, the widths that a budget leaves, and the finetuning."""
