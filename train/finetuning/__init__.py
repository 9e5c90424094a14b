"""Finetuning the student as it will be deployed."""
