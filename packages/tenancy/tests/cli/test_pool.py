from __future__ import annotations

import json


def test_the_pool_is_filled_shown_and_drained_after_a_question(run):
    filled, shown = run("pool", "fill", "--to", "2"), run("pool", "status", "--json")
    kept, drained = run("pool", "drain", answers="n\n"), run("pool", "drain", answers="y\n")

    assert filled == (0, "2 made, 2 ready\n")
    assert json.loads(shown[1]) == [{"server": "main", "ready": 2, "making": 0, "outdated": 0}]
    assert (kept[0], "Drop 2 ready spares" in kept[1]) == (1, True)
    assert (drained[0], drained[1].endswith("2 dropped\n")) == (0, True)
    assert run("pool", "status") == (0, "main\t0\t0\t0\n")


def test_programs_fill_and_drain_without_being_asked(run):
    filled, drained = run("pool", "fill", "--to", "1", "--server", "main", "--json"), run("pool", "drain", "--yes", "--json")

    assert json.loads(filled[1]) == {"made": 1, "ready": 1}
    assert json.loads(drained[1]) == {"dropped": 1}


def test_an_unknown_server_is_one_line(run):
    code, output = run("pool", "fill", "--server", "nowhere")

    assert code == 1
    assert output.startswith("Error: ")
