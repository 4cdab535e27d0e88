"""The two kinds of error that a person is meant to read: "do this" and "this row". Anything else is a bug and propagates."""

from __future__ import annotations


class UserError(Exception):
    """The call cannot be carried out as it stands: `message` says what is wrong, `mend` what to do. Exit code 2."""

    exit_code = 2

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.message, self.mend = message, mend

    def __str__(self) -> str:
        return f"{self.message}; {self.mend}" if self.mend else self.message


class MissingError(UserError):
    """Something that the call needs is not on this machine; `mend` is the command that brings it. Exit code 3."""

    exit_code = 3


class RowError(Exception):
    """One row cannot be read or analysed; the others go on. `code` is from a closed set, `message` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message
