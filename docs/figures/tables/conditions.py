"""On what and by which command a report of `tadsr bench --json` was measured."""

from typing import Any


def threads_of(report: dict[str, Any]) -> str:
    """How many threads of what; None in the report is what an engine takes unasked."""
    return f"{report['threads'] or 'All'} threads of {report['machine']['cpu'].strip()}"


def command_of(report: dict[str, Any], what: str) -> str:
    """The command line; ``what`` is the part of `tadsr bench`, such as "peers"."""
    threads = f" --threads {report['threads']}" if report["threads"] else ""
    return f"`tadsr bench --{what}{threads} --repeats {report['repeats']} --json`"
