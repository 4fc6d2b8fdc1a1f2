"""Access tokens of systems whose refresh tokens work once: exchanged under a lock, and stored."""

from __future__ import annotations

from collections.abc import Callable

from orchestration.connectors.errors import Refused
from orchestration.connectors.http import Again, Answer, Judge, refuse
from orchestration.connectors.secrets import SecretStore

_PAIR = ("access_token", "refresh_token")


class TokenPair:
    """The access token of now, and the refresh token that buys the next.

    `exchange` asks the system for a new pair in exchange for a refresh token; it judges by
    `judge_exchange`. `first` gives the refresh token that a person set.
    """

    def __init__(
        self,
        store: SecretStore,
        first: Callable[[], str],
        exchange: Callable[[str], Answer],
    ) -> None:
        self._store = store
        self._first = first
        self._exchange = exchange
        self.access = ""

    def renew(self) -> str:
        """A new access token, from another process where it was first.

        The pair is on the disk before it is used. Raises Refused where the system gives none.
        """
        with self._store.locked():
            if not self._taken_over():
                token = self._store.read().get("refresh_token") or self._first()
                try:
                    answer = self._exchange(token)
                except Refused:
                    if not self._taken_over():
                        raise
                else:
                    pair = {name: str(answer.data[name]) for name in _PAIR}
                    self._store.write(pair)
                    self.access = pair["access_token"]
        return self.access

    def _taken_over(self) -> bool:
        """Whether another process has stored an access token that this one has not used."""
        stored = self._store.read().get("access_token", self.access)
        is_other = stored != self.access
        self.access = stored
        return is_other


def judge_exchange(remedy: str) -> Judge:
    """Judges an answer to an exchange; `remedy` says what to do about a token that is refused."""

    def judge(answer: Answer) -> Again | None:
        if answer.status in (400, 401, 403) and not answer.is_html:
            raise refuse(remedy)
        is_pair = (
            answer.is_json and isinstance(answer.data, dict) and answer.data.keys() >= {*_PAIR}
        )
        return Again("unreadable") if answer.status == 200 and not is_pair else None

    return judge
