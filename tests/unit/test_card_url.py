import pytest

from zvonok.call import Kind
from zvonok.card_url import card_url

CARD = "https://crm.example.ru/{kind}/{id}?from={number}"


def test_values_are_percent_encoded() -> None:
    url = card_url(CARD, kind=Kind.DEALER, record=7, number="+7 927&x=1/../'\"")
    assert url == "https://crm.example.ru/dealer/7?from=%2B7%20927%26x%3D1%2F..%2F%27%22"


def test_an_unknown_caller_with_a_number_can_be_created() -> None:
    assert card_url(CARD, kind=Kind.UNKNOWN, record=None, number="101") == "https://crm.example.ru/unknown/?from=101"


@pytest.mark.parametrize(
    ("template", "number"),
    [(None, "101"), ("", "101"), (CARD, None), ("https://crm/{id}", "101"), ("javascript:alert({number})", "1")],
)
def test_where_there_is_nothing_to_link_to_there_is_no_link(template: str | None, number: str | None) -> None:
    assert card_url(template, kind=Kind.UNKNOWN, record=None, number=number) is None


def test_a_number_that_looks_like_a_placeholder_is_only_text() -> None:
    url = card_url("https://crm/{number}/{id}", kind=Kind.USER, record=1, number="{id}")
    assert url == "https://crm/%7Bid%7D/1"
