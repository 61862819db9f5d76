"""Buckets, budgets and counters."""

from notifier.limits import MAX_ADDRESSES, Bucket, Budget, Counter


def test_a_bucket_gives_its_capacity_at_once_and_then_its_refill() -> None:
    bucket = Bucket(3, now=0)
    assert [bucket.take(3, 1, now=0) for _ in range(4)] == [True, True, True, False]
    assert bucket.take(3, 1, now=1)
    assert not bucket.take(3, 1, now=1.5)
    assert bucket.level(3, 1, now=100) == 3


def test_each_address_has_its_own_budget() -> None:
    budget = Budget(1, 0.1)
    assert budget.take("a", now=0)
    assert not budget.take("a", now=0)
    assert budget.spent("a", now=0)
    assert not budget.spent("b", now=0)
    assert budget.take("b", now=0)
    assert budget.take("a", now=10)


def test_a_budget_stays_small_however_many_addresses_come() -> None:
    budget = Budget(2, 0.0)
    for number in range(3 * MAX_ADDRESSES):
        budget.take(str(number), now=0)
    assert len(budget) <= MAX_ADDRESSES


def test_a_counter_counts_what_is_there_at_once_and_forgets_who_left() -> None:
    counter = Counter()
    assert counter.enter("a", 2)
    assert counter.enter("a", 2)
    assert not counter.enter("a", 2)
    counter.leave("a")
    assert counter.enter("a", 2)
    counter.leave("a")
    counter.leave("a")
    assert len(counter) == 0
