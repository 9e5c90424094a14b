"""Structured pruning: channels that go together, what each is worth, the widths a budget leaves, the finetuning."""
