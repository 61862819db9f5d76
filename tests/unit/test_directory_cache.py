"""What the directory remembers, with time in the test's hand."""

import pytest

from fastagi.directory_cache import EVERYTHING, KEEP, NOTHING_TTL, DirectoryCache, Number, OwnerRow, Person
from zvonok.call import Kind

IVAN = Person(kind=Kind.USER, id=1, name="Иван", company=None, matches=1)
NOBODY = Person(kind=Kind.UNKNOWN, id=None, name=None, company=None, matches=0)
MOBILE = Number(key="79271390907", number="+79271390907")
OWNER = OwnerRow(user_id=1, name="Иван", label="мобильный")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> DirectoryCache:
    return DirectoryCache(ttl=300, clock=clock)


def remember(cache: DirectoryCache, person: Person = IVAN, owners: tuple[OwnerRow, ...] = (OWNER,)) -> None:
    pending = cache.begin()
    cache.store_caller(pending, "89271390907", MOBILE, person)
    cache.store_called(pending, "89271390907", MOBILE, owners)
    cache.end(pending)


def test_what_was_stored_is_fresh_until_its_ttl_and_kept_for_an_hour(cache: DirectoryCache, clock: Clock) -> None:
    remember(cache)
    clock.now += 299
    assert cache.caller("89271390907").fresh
    clock.now += 2
    known = cache.caller("89271390907")
    assert (known.fresh, known.person) == (False, IVAN)
    assert cache.called("89271390907").owners == (OWNER,)
    clock.now += KEEP
    assert cache.caller("89271390907").person is None
    assert cache.called("89271390907").owners is None


def test_nobody_is_remembered_only_briefly(cache: DirectoryCache, clock: Clock) -> None:
    remember(cache, NOBODY, ())
    assert cache.called("89271390907").fresh
    clock.now += NOTHING_TTL + 1
    assert not cache.called("89271390907").fresh
    assert not cache.caller("89271390907").fresh


def test_a_second_spelling_of_a_number_finds_what_the_first_brought(cache: DirectoryCache) -> None:
    remember(cache)
    pending = cache.begin()
    cache.store_called(pending, "+7 927 139-09-07", MOBILE, (OWNER,))
    cache.end(pending)
    assert cache.caller("+7 927 139-09-07").person == IVAN


def test_a_change_removes_the_number_in_every_spelling(cache: DirectoryCache) -> None:
    remember(cache)
    cache.changed("79271390907")
    assert cache.caller("89271390907").person is None
    assert cache.called("89271390907").owners is None


def test_a_change_of_everything_removes_everything(cache: DirectoryCache) -> None:
    remember(cache)
    cache.changed(EVERYTHING)
    assert len(cache) == 0


@pytest.mark.parametrize("change", ["79271390907", EVERYTHING])
def test_a_lookup_that_began_before_a_change_stores_nothing(cache: DirectoryCache, change: str) -> None:
    pending = cache.begin()
    cache.changed(change)
    cache.store_caller(pending, "89271390907", MOBILE, IVAN)
    cache.store_called(pending, "89271390907", MOBILE, (OWNER,))
    cache.end(pending)
    assert len(cache) == 0


def test_a_change_of_another_number_does_not_hinder_a_lookup(cache: DirectoryCache) -> None:
    pending = cache.begin()
    cache.changed("101")
    cache.store_caller(pending, "89271390907", MOBILE, IVAN)
    cache.end(pending)
    assert cache.caller("89271390907").fresh


def test_after_changes_may_have_been_missed_nothing_is_fresh_but_all_may_still_serve(
    cache: DirectoryCache, clock: Clock
) -> None:
    remember(cache)
    clock.now += 1
    cache.doubt_all()
    known = cache.caller("89271390907")
    assert (known.fresh, known.person) == (False, IVAN)
    clock.now += 1
    remember(cache)
    assert cache.caller("89271390907").fresh


def test_a_hidden_number_needs_no_database_once_it_was_seen(cache: DirectoryCache) -> None:
    pending = cache.begin()
    cache.store_caller(pending, "anonymous", Number(key=None, number=None), NOBODY)
    cache.end(pending)
    assert cache.caller("anonymous").fresh
    assert cache.called("anonymous").owners == ()


def test_hostile_lengths_and_counts_of_numbers_stay_bounded(cache: DirectoryCache) -> None:
    pending = cache.begin()
    cache.store_caller(pending, "9" * 10_000, Number(key="9" * 64, number=None), NOBODY)
    assert cache.caller("9" * 10_000).number is None, "no number, not remembered"
    for n in range(25_000):
        cache.store_caller(pending, str(n), Number(key=str(n), number=str(n)), NOBODY)
    assert len(cache) == 20_000
