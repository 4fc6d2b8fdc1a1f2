"""One run: choose calls, ask the model about each within the budget, write down what it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

from orchestration.base import progress
from orchestration.base.errors import (
    EXIT_GOOD,
    EXIT_INTERRUPTED,
    EXIT_TRY_LATER,
    VoronkaError,
    WrongUse,
)
from orchestration.base.interrupt import finish_first, stop_if_asked
from orchestration.base.record import Failure
from orchestration.base.settings import Settings
from orchestration.call_evaluations.answers import (
    Broken,
    Evaluation,
    completion_of,
    evaluation_of,
)
from orchestration.call_evaluations.endpoint import ANSWER_TOKENS, Endpoint, NotTaken
from orchestration.call_evaluations.journal import Journal
from orchestration.call_evaluations.prompt import Prompt, hold_to_version, read_prompt
from orchestration.call_evaluations.selection import (
    FOLDER,
    WRITER,
    Candidate,
    Selection,
    select,
)
from orchestration.call_evaluations.transcript import Transcript
from orchestration.connectors.clock import Clock, Stamps
from orchestration.connectors.lock import only_run
from orchestration.connectors.zone_files import zone_files

STEP = "Evaluating calls"
LIMIT = 100
MAX_TOKENS = 500_000
BATCH = 50
# Characters of one token, at least: Russian in the oldest of today's encodings.
_CHARACTERS = 2
# So many calls in a row without an evaluation: it is not the calls.
_HOPELESS = 5
_TRIES = 2


@dataclass(frozen=True)
class Plan:
    """What a run would send, before it does. `tokens` is an estimate of the most it could take."""

    selection: Selection
    evaluator: str
    url: str
    is_open: bool
    limit: int
    max_tokens: int
    tokens: int


@dataclass
class Outcome:
    """What a run did. `left` counts calls without an evaluation, by what stood in the way."""

    evaluated: int = 0
    brought: int = 0
    tokens: int = 0
    unproved: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    remaining: int = 0
    budget: str = ""
    failure: Failure | None = None

    @property
    def exit_code(self) -> int:
        """The command's: 75 where calls were left that may go well the next time."""
        if self.failure:
            return self.failure.exit_code
        return EXIT_TRY_LATER if self.left else EXIT_GOOD


@dataclass
class Run:
    """A run of these settings; `say` shows a line to who asked to stop."""

    settings: Settings
    limit: int = LIMIT
    max_tokens: int = MAX_TOKENS
    since: date | None = None
    clock: Clock | None = None
    say: Callable[[str], None] = lambda text: None

    def __post_init__(self) -> None:
        if self.settings.is_demo:
            raise WrongUse(
                "The raw zone is the demo company's, and nothing of yours belongs there.",
                "Set VORONKA_RAW_DIR to a zone of your own.",
            )
        self._clock = self.clock or Clock(self.settings.now)
        self._prompt: Prompt = read_prompt(self.settings)
        self._endpoint = Endpoint(self.settings, self._prompt, self._clock)
        self._evaluator = self._prompt.evaluator(self._endpoint.model)
        directory = self.settings.call_evaluations_dir
        self._journal = Journal.of(directory, self.settings.raw_zone)
        self._outcome = Outcome()
        self._hopeless = 0

    @contextmanager
    def only(self) -> Iterator[None]:
        """Let no other run of this data directory send anything meanwhile.

        Raises TryLater where one runs, and WrongUse where the prompt changed under its version.
        """
        directory = self.settings.call_evaluations_dir
        with only_run("`voronka evaluate-calls`", directory, "runs", "Wait until it ends."):
            hold_to_version(self._prompt, directory / "prompts.json")
            # What a killed run was answered counts as evaluated.
            self._outcome.brought = self._journal.flush()
            yield

    def plan(self) -> Plan:
        """What would be sent. Raises WrongUse or TryLater where that cannot be known."""
        found = select(
            self.settings, self.settings.raw_zone, self._evaluator, self.since, self.limit,
            self._refuse,
        )  # fmt: skip
        tokens = sum(self._tokens_of(it.transcript) for it in found.calls)
        return Plan(
            found, self._evaluator, self._endpoint.url, self._endpoint.is_open, self.limit,
            self.max_tokens, min(tokens, self.max_tokens),
        )  # fmt: skip

    def _refuse(self, candidate: Candidate) -> str:
        if candidate.transcript.is_empty:
            return "without a word in it"
        if self._tokens_of(candidate.transcript) > self.max_tokens:
            return "too long for --max-tokens"
        return ""

    def evaluate(self, plan: Plan) -> Outcome:
        """Send the calls of a plan within its budget. What comes back is in the raw zone then.

        An error, or somebody who stops it, is in the outcome; what was paid for is never lost.
        """
        outcome = self._outcome
        calls = plan.selection.calls
        outcome.remaining = plan.selection.waiting
        # Later than all before, whatever the clock does: a file's name is its load instant.
        own = zone_files(self.settings.raw_zone, FOLDER, WRITER)
        stamps = Stamps(self._clock, own[-1].loaded_at if own else None)
        try:
            progress.tell(STEP, total=len(calls))
            for candidate in calls:
                if not self._has_left(self._tokens_of(candidate.transcript)):
                    outcome.budget = f"--max-tokens {self.max_tokens:,}"
                    break
                outcome.remaining -= 1
                self._evaluate(candidate, stamps)
                if outcome.evaluated and outcome.evaluated % BATCH == 0:
                    self._journal.flush()
            else:
                outcome.budget = f"--limit {self.limit:,}" if outcome.remaining else ""
        except VoronkaError as error:
            outcome.failure = Failure.of(error)
        except KeyboardInterrupt:
            outcome.failure = Failure(
                "The evaluation was stopped.",
                "What was evaluated stays; `voronka evaluate-calls` goes on from there.",
                [],
                EXIT_INTERRUPTED,
            )
        try:
            self._journal.flush()
        except VoronkaError as error:
            outcome.failure = Failure.of(error)
        return outcome

    def _evaluate(self, candidate: Candidate, stamps: Stamps) -> None:
        """Ask about one call, and write the answer down before anything else."""
        # Who stops it has paid for this one.
        with finish_first(lambda: self.say("Waiting for the answer that is on its way …")):
            try:
                evaluation = self._ask(candidate.transcript)
            except (Broken, NotTaken) as error:
                why = self._endpoint.without_secrets(str(error))
                self._leave(candidate, why, is_taken=isinstance(error, Broken))
                return
            self._journal.add(candidate, self._evaluator, evaluation, stamps.next())
            self._hopeless = 0
            self._outcome.evaluated += 1
            for it in evaluation.evidence:
                self._outcome.unproved[it.flag] += it.is_unproved
            progress.tell(STEP, f"{candidate.call_id}: {evaluation.score.normalize():f}")

    def _ask(self, transcript: Transcript) -> Evaluation:
        """The model's evaluation; one that is broken is asked for once more."""
        tokens = self._tokens_of(transcript)
        for attempt in range(1, _TRIES + 1):
            answer = self._endpoint.ask(transcript)
            used = tokens
            try:
                completion = completion_of(answer)
                used = completion.tokens if completion.tokens is not None else tokens
                return evaluation_of(completion.text, transcript)
            except Broken:
                if attempt == _TRIES or not self._has_left(used + tokens):
                    raise
                stop_if_asked()
            finally:
                self._outcome.tokens += used
        raise AssertionError("every try ends in an answer or an error")

    def _has_left(self, tokens: int) -> bool:
        return self._outcome.tokens + tokens <= self.max_tokens

    def _leave(self, candidate: Candidate, why: str, is_taken: bool) -> None:
        """Leave a call for the next run. Raises WrongUse where one after the other has to be."""
        self._outcome.left[why] += 1
        self._hopeless += 1
        progress.tell(STEP, candidate.call_id, "error")
        if self._hopeless == _HOPELESS:
            raise WrongUse(
                f"{_HOPELESS} calls in a row brought no evaluation; the last: {why}",
                "Choose a model that answers by a JSON schema (response_format)."
                if is_taken
                else "Correct VORONKA_LLM_MODEL, or choose an endpoint that takes such requests.",
            )

    def _tokens_of(self, transcript: Transcript) -> int:
        """How many tokens a call may take, question and answer."""
        characters = len(self._prompt.text) + len(transcript.as_json) + 1_000
        return characters // _CHARACTERS + ANSWER_TOKENS
