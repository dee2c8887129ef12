"""Errors that a person can do something about: each is one line."""


class UsageError(Exception):
    """What was asked for makes no sense: exit code 2."""


class RunError(Exception):
    """It could not be done: exit code 1."""
