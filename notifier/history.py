"""`GET /api/calls`: a user's own history, newest first, page by page.

Query: `limit` (1-100, 20), `before` (the cursor from the last answer's `next`), `since` (ms), `number`, `reason`.
Answer: `{"calls": [Call], "next": cursor | null}`. The user is the token's; nothing in the query can change that.
"""

import msgspec
from aiohttp import web

from notifier.auth import AuthError, Verifier
from notifier.door import Door
from notifier.people import People
from notifier.queries import HistoryQuery
from zvonok.call import Call, Reason
from zvonok.errors import DatabaseError


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page of the history; `next` is the `before` of the following one, null on the last."""

    calls: list[Call]
    next: str | None


class History:
    """The handlers of /api/calls."""

    def __init__(self, people: People, verifier: Verifier, door: Door) -> None:
        self._people = people
        self._verifier = verifier
        self._door = door

    async def preflight(self, request: web.Request) -> web.Response:
        """`OPTIONS`: a browser asks whether a page of the CRM's origin may send the token."""
        if not self._door.origin_allowed(request):
            return web.Response(status=403)
        headers = {
            "Access-Control-Allow-Methods": "GET",
            "Access-Control-Allow-Headers": "authorization",
            "Access-Control-Max-Age": "600",
        }
        return web.Response(status=204, headers={**headers, **self._cors(request)})

    async def get(self, request: web.Request) -> web.Response:
        """`GET`."""
        if not self._door.origin_allowed(request):
            return self._error(request, 403, "this page's origin is not in ZVONOK_ALLOWED_ORIGINS")
        self._door.spend(request)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return self._error(request, 401, "send the token as Authorization: Bearer")
        try:
            identity = self._verifier.verify(token.strip())
        except AuthError as exc:
            self._door.failed(self._door.address(request))
            return self._error(request, 401, str(exc))
        self._door.spend_of_user(identity.user_id)
        try:
            query = parse(identity.user_id, dict(request.query))
        except ValueError as exc:
            return self._error(request, 400, str(exc))
        try:
            if await self._people.ask(identity.user_id) is None:
                return self._error(request, 403, "no such user")
            rows = await self._people.history(msgspec.structs.replace(query, limit=query.limit + 1))
        except DatabaseError:
            return self._error(request, 503, "the history cannot be read now; try again")
        calls = rows[: query.limit]
        more = len(rows) > query.limit
        page = Page(calls=calls, next=cursor(calls[-1]) if more else None)
        return web.Response(body=msgspec.json.encode(page), headers=self._headers(request))

    def _error(self, request: web.Request, status: int, message: str) -> web.Response:
        return web.Response(status=status, body=msgspec.json.encode({"error": message}), headers=self._headers(request))

    def _headers(self, request: web.Request) -> dict[str, str]:
        return {"Content-Type": "application/json", "Cache-Control": "no-store", **self._cors(request)}

    def _cors(self, request: web.Request) -> dict[str, str]:
        origin = request.headers.get("Origin")
        if origin is None or not self._door.origin_allowed(request):
            return {"Vary": "Origin"}
        return {
            "Access-Control-Allow-Origin": origin,
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Vary": "Origin",
        }


def parse(user_id: int, query: dict[str, str]) -> HistoryQuery:
    """The query of one user. Raises ValueError with a sentence for the client's developer."""
    unknown = query.keys() - {"before", "limit", "since", "number", "reason"}
    if unknown:
        raise ValueError(f"no such parameter: {min(unknown)[:40]}")
    before_ms, before_id = None, None
    if "before" in query:
        time_text, _, before_id = query["before"].partition("~")
        before_ms = _integer("before", time_text, 0, 2**53)
        if not 0 < len(before_id) <= 64 or not before_id.isprintable():
            raise ValueError('before must be the "next" of an earlier answer')
    reason = query.get("reason")
    if reason is not None and reason not in {known.value for known in Reason}:
        raise ValueError(f"reason must be one of: {', '.join(known.value for known in Reason)}")
    number = query.get("number")
    if number is not None and (not 0 < len(number) <= 64 or not number.isprintable()):
        raise ValueError("number must have 1 to 64 characters")
    return HistoryQuery(
        user_id=user_id,
        limit=_integer("limit", query.get("limit", "20"), 1, 100),
        before_ms=before_ms,
        before_id=before_id,
        since_ms=_integer("since", query["since"], 0, 2**53) if "since" in query else None,
        number=number,
        reason=reason,
    )


def cursor(call: Call) -> str:
    """Where the page after `call` begins."""
    return f"{call.ring_started_at}~{call.call_id}"


def _integer(name: str, text: str, low: int, high: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 17 or not low <= int(text) <= high:
        raise ValueError(f"{name} must be a number from {low} to {high}")
    return int(text)
