from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roomtone_tenancy.fleet.rollout import BACK_OFF_MAX_S, ItemState, Rollout, RunState, WaveCount, judge

rollouts = st.builds(
    Rollout,
    canary=st.integers(0, 5),
    batch=st.none() | st.integers(1, 5),
    stop_after=st.none() | st.integers(1, 5),
    parallel=st.integers(1, 4),
    back_off_s=st.floats(0, 100),
)


@given(rollout=rollouts, count=st.integers(0, 60))
def test_waves_follow_each_other_and_none_is_larger_than_it_may_be(rollout, count):
    waves = [rollout.wave_of(position) for position in range(count)]

    assert waves == sorted(waves)
    assert waves.count(0) == min(rollout.canary, count)
    assert all(rollout.batch is None or waves.count(wave) <= rollout.batch for wave in set(waves) - {0})


@given(rollout=rollouts, attempts=st.integers(1, 10_000))
def test_pauses_grow_and_are_bounded(rollout, attempts):
    assert rollout.pause_s(attempts) <= rollout.pause_s(attempts + 1) <= BACK_OFF_MAX_S


@given(rollout=rollouts, data=st.data())
def test_any_run_comes_to_its_end_wave_by_wave_whatever_happens(rollout, data):
    states = [ItemState.WAITING] * data.draw(st.integers(0, 25))
    for _ in range(10 * len(states) + 10):
        keyed = [(rollout.wave_of(position), state) for position, state in enumerate(states)]
        counts = [WaveCount(wave=wave, state=state, count=keyed.count((wave, state))) for wave, state in sorted(set(keyed))]
        verdict = judge(rollout, counts)
        if verdict.ends_as is not None:
            break
        # Nobody of a later wave is begun before all of the earlier ones are over.
        assert all(state.is_over for wave, state in keyed if wave < verdict.wave)
        waiting = [position for position, (wave, state) in enumerate(keyed) if wave == verdict.wave and not state.is_over]
        chosen = data.draw(st.sampled_from(waiting))
        states[chosen] = data.draw(st.sampled_from([ItemState.LEASED, ItemState.DONE, ItemState.QUARANTINED, ItemState.SKIPPED]))

    failed = [position for position, state in enumerate(states) if state is ItemState.QUARANTINED]
    if verdict.ends_as is None:
        assert not all(state.is_over for state in states)
    elif verdict.ends_as is RunState.DONE:
        assert all(state.is_over for state in states)
        assert rollout.stop_after is None or len(failed) < rollout.stop_after
    else:
        assert (rollout.canary and min(failed) < rollout.canary) or len(failed) >= (rollout.stop_after or 0)
