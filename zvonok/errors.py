"""The error tree of Zvonok.

Each message says what is wrong and what to do next; `zvonok` prints it as it is and exits 1 (2 for `UsageError`).
"""


class ZvonokError(Exception):
    """Base of every error that Zvonok raises on purpose."""


class UsageError(ZvonokError):
    """Wrong arguments or settings: nothing was started."""


class SettingsError(UsageError):
    """One or more settings are wrong.

    `problems` has one line a setting, by the variable's name, never with a secret's value.
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("wrong settings:\n" + "\n".join(f"  {problem}" for problem in problems))


class DatabaseError(ZvonokError):
    """The database cannot be reached or refused a statement; the driver's error is the cause."""
