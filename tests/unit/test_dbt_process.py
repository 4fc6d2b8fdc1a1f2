import sys

from orchestration.models.dbt import MortalProcess


def test_a_process_that_does_not_hear_is_killed():
    deaf = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(60)"
    process = MortalProcess([sys.executable, "-c", deaf])
    assert process.wait(timeout=0.1) < 0


def test_a_process_that_ends_in_time_gives_its_code():
    assert MortalProcess([sys.executable, "-c", "raise SystemExit(3)"]).wait(timeout=30) == 3
