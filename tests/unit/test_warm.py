"""Later steps' work that is begun early: collected once, or given up."""

import threading

import pytest

from orchestration.base.settings import Settings
from orchestration.warm import WarmTools


@pytest.fixture
def settings(tmp_path) -> Settings:
    found = Settings(project_dir=tmp_path, data_dir=tmp_path / "data")
    found.build_dir.mkdir(parents=True)
    found.build_file.write_bytes(b"small")
    return found


def test_work_that_was_not_begun_is_done_when_it_is_asked_for(settings):
    tools = WarmTools(settings)
    tools.offer("sum", lambda: threading.current_thread().name)
    assert tools.result("sum") == threading.current_thread().name


def test_begun_work_is_done_beside_and_collected_once(settings):
    tools = WarmTools(settings)
    counted = []
    tools.offer("sum", lambda: counted.append(threading.current_thread().name) or len(counted))
    tools.begin_offers()
    assert (tools.result("sum"), tools.result("sum")) == (1, 2)
    assert counted == ["sum_0", threading.current_thread().name]
    tools.close()


def test_an_error_is_the_collecting_steps_error(settings):
    tools = WarmTools(settings)

    def fail():
        raise OSError("the disk is full")

    tools.offer("draft", fail)
    tools.begin_offers()
    with pytest.raises(OSError, match="the disk is full"):
        tools.result("draft")


def test_works_of_one_thread_take_turns(settings):
    tools = WarmTools(settings)
    order = []
    first = threading.Event()
    tools.offer("one", lambda: first.wait(10) and order.append("one"), "suites")
    tools.offer("two", lambda: order.append("two"), "suites")
    tools.begin_offers()
    first.set()
    tools.result("two")
    assert order == ["one", "two"]


def test_a_large_build_is_asked_one_question_after_the_other(settings, monkeypatch):
    monkeypatch.setattr("orchestration.base.settings._SMALL_BUILD", 2)
    tools = WarmTools(settings)
    tools.offer("sum", lambda: threading.current_thread().name)
    tools.begin_offers()
    assert tools.result("sum") == threading.current_thread().name


def test_what_nobody_collects_is_given_up_and_can_be_begun_again(settings):
    tools = WarmTools(settings)
    given_up = []
    tools.offer("draft", lambda: "draft", give_up=lambda: given_up.append("draft"))
    tools.offer("other", lambda: "other", give_up=lambda: given_up.append("other"))
    tools.begin_offers()
    assert tools.result("other") == "other"
    tools.close()
    assert given_up == ["draft", "draft"]
    tools.begin_offers()
    assert tools.result("draft") == "draft"
