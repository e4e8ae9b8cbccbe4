"""checks: what is wrong with a rendered file in an environment. All problems, never just the first; no effects."""

from __future__ import annotations

from nself_sdk.checks.places import monitored, real_mail
from nself_sdk.checks.rules import RULES
from nself_sdk.compose import ComposeFile
from nself_sdk.environment import Environment
from nself_sdk.errors import DeclarationError, Problem

__all__ = ["check", "problems"]


def problems(file: ComposeFile, environment: Environment) -> tuple[Problem, ...]:
    """Every problem of every rule, in a stable order."""
    return tuple(sorted(problem for rule in (*RULES, monitored, real_mail) for problem in rule(file, environment)))


def check(file: ComposeFile, environment: Environment) -> None:
    """Refuse a file that has problems.

    Raises:
        DeclarationError: with all of them.
    """
    if found := problems(file, environment):
        raise DeclarationError(found)
