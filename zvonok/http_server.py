"""What our HTTP servers (aiohttp's) tell strangers and their log: no versions, no stack traces for what is no HTTP."""

import logging
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web_response
from aiohttp.http_exceptions import HttpProcessingError

NAME: Final = "zvonok"


def hide_versions() -> None:
    """From now on no answer of this process names aiohttp's and Python's versions.

    A response's own header could, but what is no HTTP is answered by aiohttp itself, past every hook that there is.
    """
    web_response.SERVER_SOFTWARE = NAME  # type: ignore[attr-defined]  # imported there, so not re-exported


class ServerLog(logging.LoggerAdapter[logging.Logger]):
    """aiohttp's log without a stack trace for each request that is no HTTP: anybody can send those at any rate.

    Such a trace also shows the header in question, which may hold a token. `malformed` is called for each.
    """

    def __init__(self, malformed: Callable[[], None]) -> None:
        super().__init__(logging.getLogger("aiohttp.server"))
        self._malformed = malformed

    def exception(self, msg: object, *args: object, exc_info: Any = True, **kwargs: Any) -> None:
        """What aiohttp calls for errors of requests."""
        if not self._is_malformed(exc_info):
            super().exception(msg, *args, exc_info=exc_info, **kwargs)

    def debug(self, msg: object, *args: object, exc_info: Any = None, **kwargs: Any) -> None:
        """What aiohttp calls for the most common of these errors, and for much else."""
        if not self._is_malformed(exc_info):
            super().debug(msg, *args, exc_info=exc_info, **kwargs)

    def _is_malformed(self, exc: object) -> bool:
        if not isinstance(exc, HttpProcessingError):
            return False
        self._malformed()
        super().debug("a request is no HTTP: %s", type(exc).__name__)
        return True
