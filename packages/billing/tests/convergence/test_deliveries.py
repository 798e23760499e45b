"""A hundred thousand deliveries, shuffled, doubled, lost and forged, end where the oracle says."""

from __future__ import annotations

import random

import pytest

from roomtone_billing.errors import BadSignature
from roomtone_billing.signature import sign

LOST, AGAIN_MAX, FORGED = 0.25, 4, 0.1
# Customers told of at the same time, and deliveries between two times that the worker comes to rest.
COPIES, PAUSE = 5, 1000


def shuffled(recording, dice: random.Random) -> list[tuple[int, bytes]]:
    """The webhooks of a story as (step, payload): one of the last step's arrives, whatever else is lost."""
    all_of_them = [(at, payload) for at, step in enumerate(recording.steps) for payload in step.payloads]
    kept = all_of_them.pop()
    arriving = [one for one in all_of_them if dice.random() > LOST] + [kept]
    arriving += [one for one in arriving for _ in range(dice.randint(0, AGAIN_MAX))]
    dice.shuffle(arriving)
    return arriving


def forge(teller, payload: bytes, dice: random.Random) -> None:
    """What somebody without the secret, with an old delivery or with another body can send; none is accepted."""
    at = int(teller.now.timestamp())
    altered = payload.replace(b'"livemode": false', b'"livemode": true ')
    headers = (
        (payload, sign(payload, secret="whsec_guess", at=teller.now)),
        (payload, sign(payload, secret="whsec_stories", at=teller.now).replace(f"t={at}", f"t={at + 1}")),
        (altered, sign(payload, secret="whsec_stories", at=teller.now)),
    )
    with pytest.raises(BadSignature):
        teller.billing.receive(*dice.choice(headers))


def deliver(teller, recordings, *, seed: int, least: int) -> int:
    """Tell all stories of many customers at once, until so many deliveries were made; returns how many."""
    dice, made, told = random.Random(seed), 0, []
    while made < least:
        copies = [one.copy(f"s{seed}n{len(told)}c{number}") for one in recordings.values() for number in range(COPIES)]
        told += copies
        teller.open(copies)
        waiting = {copy.customer: (copy, shuffled(copy, dice)) for copy in copies}
        reached = dict.fromkeys(waiting, 0)
        while waiting:
            copy, events = waiting[dice.choice(list(waiting))]
            step, payload = events.pop()
            reached[copy.customer] = max(reached[copy.customer], step)
            teller.stand_at(copy, reached[copy.customer])
            if dice.random() < FORGED:
                forge(teller, payload, dice)
                made += 1
            teller.hear(payload)
            made += 1
            if not events:
                del waiting[copy.customer]
            if made % PAUSE == 0:
                teller.drain()
        teller.drain()
    assert [(copy.customer, teller.end_of(copy), copy.end) for copy in told if teller.end_of(copy) != copy.end] == []
    return made


def test_shuffled_doubled_lost_and_forged_deliveries_end_as_the_oracle_says(recordings, engine, make_teller):
    teller, some = make_teller(engine), dict(list(recordings.items())[::8])

    assert deliver(teller, some, seed=0, least=100) >= 100
    assert teller.is_told_once()


@pytest.mark.machine
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_hundred_thousand_deliveries_end_as_the_oracle_says(recordings, teller, seed):
    assert deliver(teller, recordings, seed=seed, least=50_000) >= 50_000
    assert teller.is_told_once()
