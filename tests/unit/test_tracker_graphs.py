"""Generated call graphs: any mix of calls, groups, transfers, pickups and faults, against an exchange that knows."""

from collections.abc import Callable, Iterable

from hypothesis import HealthCheck, settings, target
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from fastagi.facts import AmiDown, AmiUp, Fact
from tests.call_desk import Desk, user
from tests.exchange import Call, Exchange
from zvonok.call import State

PHONES = ("101", "102", "103", "104", "105")
OWNERS = {"101": (1,), "102": (2,), "103": (1, 3), "104": (), "105": (5,), "74951234567": (4,), "74950000000": ()}
"""105's owner owns nothing else; 104 is nobody's phone; user 4 owns a called number and no phone."""
USERS = sorted({one for owners in OWNERS.values() for one in owners})
REFUSALS = (("BUSY", 17), ("NOANSWER", 0), ("NOANSWER", 21), ("CONGESTION", 34), ("CHANUNAVAIL", 20))


class Calls(RuleBasedStateMachine):
    """Each rule is something that happens at the exchange, or to us."""

    def __init__(self) -> None:
        super().__init__()
        self.exchange = Exchange(OWNERS)
        people = {number: [user(one, number) for one in owners] for number, owners in OWNERS.items()}
        self.desk = Desk(people, ring_watchdog_ms=3_600_000)  # nothing is lost here, so silence proves nothing

    def tell(self, facts: Iterable[Fact]) -> None:
        for fact in facts:
            self.desk.feed(fact)

    def resync(self) -> None:
        for _ in range(2):
            self.tell([self.exchange.listed(self.desk.now + 1)])
            self.desk.wait(600)

    def a_call(self, data: st.DataObject, wanted: Callable[[Call], bool]) -> Call | None:
        calls = [call for call in self.exchange.calls if wanted(call)]
        return data.draw(st.sampled_from(calls)) if calls else None

    def free_phones(self) -> list[str]:
        return [phone for phone in PHONES if not self.exchange.busy(phone)]

    # --- what happens at the exchange ---------------------------------------------------------------------------------

    @precondition(lambda self: len(self.exchange.calls) < 3)
    @rule(number=st.sampled_from(sorted(OWNERS.keys() - {"103"})), announce=st.booleans(), late=st.booleans())
    def somebody_calls(self, number: str, announce: bool, late: bool) -> None:
        self.tell(self.exchange.begin(number, announce=announce, late=late))

    @rule(data=st.data())
    def phones_are_dialled(self, data: st.DataObject) -> None:
        call = self.a_call(data, lambda call: call.talking is None)
        free = self.free_phones()
        if call is not None and free:
            self.tell(self.exchange.dial(call, data.draw(st.lists(st.sampled_from(free), min_size=1, unique=True))))

    @rule(data=st.data())
    def a_phone_rings(self, data: st.DataObject) -> None:
        call = self.a_call(data, lambda call: bool(call.ringing))
        if call is not None:
            self.tell(self.exchange.ring(data.draw(st.sampled_from(call.ringing))))

    @rule(data=st.data(), queue=st.booleans())
    def somebody_answers(self, data: st.DataObject, queue: bool) -> None:
        call = self.a_call(data, lambda call: bool(call.ringing))
        if call is not None:
            self.tell(self.exchange.answer(call, data.draw(st.sampled_from(call.ringing)), queue=queue))

    @rule(data=st.data(), how=st.sampled_from(REFUSALS))
    def somebody_does_not_answer(self, data: st.DataObject, how: tuple[str, int]) -> None:
        call = self.a_call(data, lambda call: bool(call.ringing))
        if call is not None:
            self.tell(self.exchange.refuse(call, data.draw(st.sampled_from(call.ringing)), *how))

    @rule(data=st.data())
    def the_caller_hangs_up(self, data: st.DataObject) -> None:
        call = self.a_call(data, lambda _: True)
        if call is not None:
            self.tell(self.exchange.give_up(call))

    @rule(data=st.data())
    def a_call_is_transferred(self, data: st.DataObject) -> None:
        call = self.a_call(data, lambda call: call.talking is not None)
        free = self.free_phones()
        if call is not None and free:
            how = data.draw(st.sampled_from([self.exchange.blind, self.exchange.consult]))
            self.tell(how(call, data.draw(st.sampled_from(free))))

    @rule(data=st.data())
    def a_colleague_picks_up(self, data: st.DataObject) -> None:
        call = self.a_call(data, lambda call: bool(call.ringing))
        free = self.free_phones()
        if call is not None and free:
            leg, phone = data.draw(st.sampled_from(call.ringing)), data.draw(st.sampled_from(free))
            self.tell(self.exchange.pick_up(call, leg, phone))

    # --- what happens to us -------------------------------------------------------------------------------------------

    @rule()
    def the_tap_is_restarted(self) -> None:
        self.desk.restart()
        self.resync()

    @rule(data=st.data())
    def the_connection_is_lost_for_a_moment(self, data: st.DataObject) -> None:
        self.tell([AmiDown()])
        self.desk.wait(data.draw(st.integers(0, 3_000)))
        self.tell([AmiUp()])
        self.resync()

    @rule(away=st.sets(st.sampled_from(sorted(OWNERS))))
    def the_directory_knows_only_some_numbers(self, away: set[str]) -> None:
        self.desk.unanswerable = away

    @rule(ms=st.integers(1, 4_000))
    def time_passes(self, ms: int) -> None:
        self.desk.wait(ms)

    @rule()
    def everybody_sees_what_he_must(self) -> None:
        """Once the directory answers and nothing is on its way."""
        self.desk.unanswerable = set()
        self.desk.wait(4_000)
        for one in USERS:
            live = sorted(call.state.value for call in self.desk.episodes(one) if call.state is not State.ENDED)
            assert live == self.exchange.cards(one), f"user {one}"

    def teardown(self) -> None:
        self.everybody_sees_what_he_must()
        for call in list(self.exchange.calls):
            self.tell(self.exchange.give_up(call))
        self.resync()
        self.everybody_sees_what_he_must()
        assert {call.user_id for call in self.desk.calls} <= set(USERS)
        self.desk.wait(64_000)
        assert self.desk.tracker.size == 0
        target(float(len(self.desk.calls)))


Calls.TestCase.settings = settings(
    max_examples=150, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
test_any_calls_at_all_show_every_owner_his_cards_and_nothing_is_left = Calls.TestCase
