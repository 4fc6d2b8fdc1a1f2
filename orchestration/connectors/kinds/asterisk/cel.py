"""True seconds of talk from channel events: when an employee and the outside shared a bridge."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestration.connectors.kinds.asterisk.mapping import EXTENSION, TRUNK, Mapper, Record

ENTER, EXIT = "BRIDGE_ENTER", "BRIDGE_EXIT"


@dataclass(frozen=True)
class ChannelEvent:
    """A channel entered a bridge or left it."""

    at: datetime
    channel: str
    bridge: str
    is_enter: bool


def event_of(kind: str, at: datetime | None, channel: str, extra: str) -> ChannelEvent | None:
    """An event from the table; None where it is of another kind or does not read."""
    if kind not in (ENTER, EXIT) or at is None:
        return None
    try:
        bridge = json.loads(extra or "{}").get("bridge_id")
    except (ValueError, AttributeError):
        return None
    return ChannelEvent(at, channel, str(bridge), kind == ENTER) if bridge else None


def talk_of(
    mapper: Mapper, events: Mapping[str, Sequence[ChannelEvent]]
) -> Callable[[str, Sequence[Record]], Mapping[int, str]]:
    """Seconds of talk of a conversation's records, by id(); none where there are no events."""

    def talk(linked_id: str, group: Sequence[Record]) -> Mapping[int, str]:
        own = sorted(events.get(linked_id, ()), key=lambda it: it.at)
        if not own:
            return {}
        found = {}
        for record in group:
            phone = next(
                (
                    name
                    for name in (record.get("dstchannel"), record.get("channel"))
                    if name and mapper.peer(name).kind == EXTENSION
                ),
                None,
            )
            if phone is not None:
                found[id(record)] = str(round(_shared(mapper, own, phone)))
        return found

    return talk


def _shared(mapper: Mapper, events: Sequence[ChannelEvent], phone: str) -> float:
    """Seconds in which a telephone was connected with a channel to the outside."""
    inside: dict[str, str] = {}
    seconds = 0.0
    for event, following in zip(events, [*events[1:], None], strict=True):
        if event.is_enter:
            inside[event.channel] = event.bridge
        elif inside.get(event.channel) == event.bridge:
            del inside[event.channel]
        if following is not None and _is_connected(mapper, inside, phone):
            seconds += (following.at - event.at).total_seconds()
    return seconds


def _is_connected(mapper: Mapper, inside: Mapping[str, str], phone: str) -> bool:
    """Whether one can be heard by the other, through bridges and both ends of Local channels."""
    seen, waiting = set(), [phone] if phone in inside else []
    while waiting:
        channel = waiting.pop()
        if channel in seen:
            continue
        seen.add(channel)
        if mapper.peer(channel).kind == TRUNK:
            return True
        bridge, base = inside[channel], re.sub(r";[12]$", "", channel)
        waiting += [
            other
            for other in inside
            if inside[other] == bridge
            or (channel.startswith("Local/") and re.sub(r";[12]$", "", other) == base)
        ]
    return False
