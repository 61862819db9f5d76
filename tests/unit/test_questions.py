"""The tracker's questions: once for all who wait, again until answered."""

from fastagi.questions import MOST_AT_ONCE, NO_ANSWER_MS, RETRY_MS, Questions
from fastagi.records import AskOwners


def questions() -> Questions[str]:
    return Questions(AskOwners)


def test_a_number_is_asked_once_for_all_who_wait() -> None:
    some = questions()
    first, ask = some.ask("101", "a", now=0)
    again, nothing = some.ask("101", "b", now=1)
    assert ask is not None
    assert nothing is None
    assert again is first
    assert first.waiting == ["a", "b"]
    assert some.answered(ask.ask_id) is first
    assert some.answered(ask.ask_id) is None
    assert len(some) == 0


def test_a_failed_question_is_asked_again_twice_a_second() -> None:
    some = questions()
    _, ask = some.ask("101", "a", now=0)
    assert ask is not None
    now = 0
    for _ in range(3):
        question = some.failed(ask.ask_id, now=now)
        assert question is not None
        assert question.failed
        assert question.next_at - now == RETRY_MS
        now = question.next_at
        assert some.due(now=now - 1) == []
        assert some.due(now=now) == [ask]


def test_a_question_that_gets_no_answer_at_all_is_asked_again() -> None:
    some = questions()
    _, ask = some.ask("101", "a", now=0)
    assert some.due(now=NO_ANSWER_MS - 1) == []
    assert some.due(now=NO_ANSWER_MS) == [ask]


def test_a_question_nobody_waits_for_is_closed() -> None:
    some = questions()
    some.ask("101", "a", now=0)
    some.drop("a")
    assert len(some) == 0


def test_of_many_that_failed_some_are_asked_at_a_time_each_in_its_turn() -> None:
    some = questions()
    asks = [some.ask(str(number), "a", now=0)[1] for number in range(MOST_AT_ONCE * 5)]
    for ask in asks:
        assert ask is not None
        some.failed(ask.ask_id, now=0)
    asked = []
    for tick in range(10):
        due = some.due(now=RETRY_MS + 100 * tick)
        assert len(due) <= MOST_AT_ONCE
        for ask in due:
            some.failed(ask.ask_id, now=RETRY_MS + 100 * tick)
        asked += due
    assert asked == asks + asks
