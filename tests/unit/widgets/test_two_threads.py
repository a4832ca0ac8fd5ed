"""Traits set by a cell and the event loop at the same time reach the browser."""

from __future__ import annotations

import asyncio
import sys
import threading

import pytest
import traitlets
from conftest import send

import wonda_widgets as ww
from wonda_widgets.utils import event_loop
from wonda_widgets.widgets._parts.composite import CompositePanel
from wonda_widgets.widgets._shared.panel import Panel

ROUNDS = 3000


class Wire:
    """A comm that applies messages in the order in which they come, as a browser does."""

    def __init__(self) -> None:
        self.state = {}
        self.kernel = self
        self.comm_id = "wire"

    def send(self, data=None, **_):
        if data.get("method") == "update":
            self.state.update(data["state"])

    def on_msg(self, _):
        """No page sends anything."""

    def close(self, *_args, **_more):
        """Nothing is open."""


def listened(widget):
    wire = Wire()
    wire.state = dict(widget.get_state())
    widget.comm = wire
    return wire


class Several(Panel):
    """A panel with traits that several threads set."""

    first = traitlets.Int(0).tag(sync=True)
    second = traitlets.Int(0).tag(sync=True)
    third = traitlets.Int(0).tag(sync=True)
    _needs_client = False
    _browser_traits = dict.fromkeys(["third"])


@pytest.fixture(autouse=True)
def _often():
    """Have Python change between threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def both(one, other):
    failed = []

    def run(work):
        try:
            for number in range(1, ROUNDS + 1):
                work(number)
        except Exception as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed


def compare(panel, wire, *names):
    for name in names:
        assert wire.state[name] == getattr(panel, name) == ROUNDS, name


@pytest.fixture
def panel(opened):
    return opened(Several())


def held(panel, *names):
    def work(number):
        with panel.hold_sync():
            for name in names:
                setattr(panel, name, number)

    return work


def test_trait_set_in_a_cell_is_not_lost_during_hold_sync(panel):
    wire = listened(panel)
    lost = []

    def plain(number):
        panel.first = number
        if wire.state["first"] != number:  # nobody else sets it
            lost.append(number)

    both(plain, held(panel, "second"))
    compare(panel, wire, "first", "second")
    assert not lost


def test_two_threads_with_hold_sync_send_their_own_changes(panel):
    wire = listened(panel)
    both(held(panel, "first", "second"), held(panel, "third"))
    compare(panel, wire, "first", "second", "third")


def test_trait_set_by_both_threads_ends_consistent(panel):
    wire = listened(panel)
    both(lambda n: setattr(panel, "first", n), lambda n: setattr(panel, "first", -n))
    assert wire.state["first"] == panel.first


def test_page_changes_do_not_delay_kernel_changes(panel):
    wire = listened(panel)
    lost = []

    def plain(number):
        panel.first = number
        if wire.state["first"] != number:
            lost.append(number)

    both(plain, lambda number: panel.set_state({"third": number}))
    compare(panel, wire, "first")
    assert panel.third == ROUNDS
    assert not lost


def test_every_panel_is_thread_safe(opened):
    with ww.Wonda.sandbox() as wonda:
        studio = opened(ww.Studio(wonda))
        assert isinstance(studio, CompositePanel)
        assert type(studio).hold_sync is Panel.hold_sync
        studio.close()


def test_nested_hold_sync_sends_once(panel):
    wire = listened(panel)
    with panel.hold_sync():
        with panel.hold_sync():
            panel.first = 5
        assert wire.state["first"] == 0
        panel.second = 6
    assert (wire.state["first"], wire.state["second"]) == (5, 6)


def test_observer_that_waits_for_the_loop_does_not_deadlock(panel):
    """An observer in a cell asks the service, whose answer the loop shows in the same panel."""

    async def answer(number):
        with panel.hold_sync():
            panel.second = number

    panel.observe(lambda change: event_loop.run_blocking(answer(change["new"])), "first")
    done = threading.Thread(target=lambda: setattr(panel, "first", 3), daemon=True)
    done.start()
    done.join(20)
    assert not done.is_alive()
    with panel.hold_sync():
        panel.first = 4
    assert panel.second == 4


def test_page_that_missed_changes_receives_them(panel, settled):
    state = panel.get_state()  # while the page creates the model from it:
    panel.first = 1
    with panel.hold_sync():
        panel.second = 2
    wire = Wire()
    wire.state = dict(state)
    panel.comm = wire
    send(panel, "sync", update_count=state["update_count"])
    settled(lambda: (wire.state["first"], wire.state["second"]) == (1, 2))


def test_page_that_missed_one_change_and_received_the_next_one(panel, settled):
    state = panel.get_state()
    panel.first = 1
    wire = Wire()
    wire.state = dict(state)
    panel.comm = wire
    panel.second = 2  # after the page has created the model, and before it shows the panel
    send(panel, "sync", update_count=wire.state["update_count"])
    settled(lambda: (wire.state["first"], wire.state["second"]) == (1, 2))


def test_page_that_missed_what_another_page_has_set(panel, settled):
    state = panel.get_state()
    panel.set_state({"third": 7})
    wire = Wire()
    wire.state = dict(state)
    panel.comm = wire
    send(panel, "sync", update_count=state["update_count"])
    settled(lambda: wire.state["third"] == 7)


def test_page_that_missed_nothing_receives_nothing(panel):
    panel.first = 1
    wire = listened(panel)
    count = wire.state["update_count"]
    wire.state = {}
    for known in (count, None, "1", -1.5, [], 10**30):
        send(panel, "sync", update_count=known)
    event_loop.run_blocking(asyncio.sleep(0))
    assert wire.state == {}
    send(panel, "sync", update_count=0)
    event_loop.run_blocking(asyncio.sleep(0))
    assert wire.state["first"] == 1
    # Another page, which missed something else, must not take it for its own count.
    assert "update_count" not in wire.state


def test_states_read_during_changes_are_completed(panel, settled):
    states = []
    both(
        lambda number: setattr(panel, "first", number),
        lambda _: states.append(panel.get_state()),
    )
    panel.comm = wire = Wire()
    assert len({state["update_count"] for state in states}) > 1
    for number, state in enumerate(states, 1):
        if (state["first"] != ROUNDS and number % 100 == 0) or state is states[-1]:
            wire.state = dict(state)
            send(panel, "sync", update_count=state["update_count"])
            settled(lambda: wire.state["first"] == ROUNDS)
