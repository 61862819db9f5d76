"""The link from a card to the CRM's page about the caller: ZVONOK_CRM_CARD_URL filled in. Pure."""

from urllib.parse import quote, urlsplit

from zvonok.call import Kind


def card_url(template: str | None, *, kind: Kind, record: int | None, number: str | None) -> str | None:
    """`template` with `{kind}`, `{id}` and `{number}` filled in, percent-encoded; None if there is nothing to link to.

    A caller whom the CRM does not know has an empty `{id}`, and a link only where the template has `{number}` and he
    has one: there the CRM can offer to create him. Never anything but http(s), whatever the number holds.
    """
    if not template or (record is None and (number is None or "{number}" not in template)):
        return None
    values = {"{kind}": str(kind), "{id}": "" if record is None else str(record), "{number}": number or ""}
    for place, value in values.items():
        template = template.replace(place, quote(value, safe=""))
    return template if urlsplit(template).scheme in ("http", "https") else None
