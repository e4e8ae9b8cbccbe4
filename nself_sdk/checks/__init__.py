"""checks: what is wrong with a rendered file in an environment. All problems, never just the first; no effects."""

from __future__ import annotations

from nself_sdk.checks.places import POLICIES
from nself_sdk.checks.rules import RULES, Rule
from nself_sdk.compose import ComposeFile
from nself_sdk.environment import Environment
from nself_sdk.errors import DeclarationError, Problem

__all__ = ["POLICIES", "RULES", "check", "problems"]

#: What breaks a stack, and what its environment does not want.
EVERY = (*RULES, *POLICIES)


def problems(file: ComposeFile, environment: Environment, rules: tuple[Rule, ...] = EVERY) -> tuple[Problem, ...]:
    """Every problem of every rule, in a stable order."""
    return tuple(sorted(problem for rule in rules for problem in rule(file, environment)))


def check(file: ComposeFile, environment: Environment, rules: tuple[Rule, ...] = EVERY) -> None:
    """Refuse a file that has problems.

    Raises:
        DeclarationError: with all of them.
    """
    if found := problems(file, environment, rules):
        raise DeclarationError(found)
