"""The table of engines, and the choice of an engine and a bundle's file for it.

To add an engine, write a module with a class that satisfies `Backend` and give it a row in `table.py`.
"""

from .base import Available, Backend, Offer, Session, Unavailable
from .choice import Choice, Opened, choose, open_session, runnable
from .status import Status, statuses
from .table import BACKENDS

__all__ = [
    "BACKENDS",
    "Available",
    "Backend",
    "Choice",
    "Offer",
    "Opened",
    "Session",
    "Status",
    "Unavailable",
    "choose",
    "open_session",
    "runnable",
    "statuses",
]
