"""Bounded queues."""

import asyncio
from threading import Event

import pytest

from darklens.serve.lanes import Busy, Lane


def test_results_and_errors_come_back() -> None:
    lane = Lane("count", 2)
    assert asyncio.run(lane.run(lambda: 3)) == 3
    with pytest.raises(ZeroDivisionError):
        asyncio.run(lane.run(lambda: 1 // 0))
    lane.close()


def test_what_is_too_much_is_refused_and_places_are_freed() -> None:
    lane, go = Lane("count", 2), Event()
    first = lane.submit(go.wait)
    second = lane.submit(lambda: 2)
    with pytest.raises(Busy, match="2 requests to count are waiting; try again"):
        lane.submit(lambda: 3)
    go.set()
    assert first.result(5)
    assert second.result(5) == 2
    assert lane.submit(lambda: 4).result(5) == 4
    lane.close()


def test_a_call_whose_caller_has_gone_is_dropped() -> None:
    lane, go, ran = Lane("count", 3), Event(), []

    async def leave() -> None:
        blocked = lane.submit(go.wait)
        waiting = asyncio.ensure_future(lane.run(lambda: ran.append(1)))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.sleep(0.01)
        go.set()
        await asyncio.wrap_future(blocked)

    asyncio.run(leave())
    assert lane.submit(lambda: 5).result(5) == 5
    assert ran == []
    lane.close()
