"""Messages leave through apprise, which knows Telegram, mail, Slack and a hundred others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.base.errors import first_line
from orchestration.connectors.secrets import Mask
from orchestration.digest.addresses import Address

if TYPE_CHECKING:
    import apprise

# A message is tried so often in a run, with so many seconds between; an address may say `retry`
# and `wait` itself. A run that failed leaves it to the next one.
ATTEMPTS = 3
_WAIT_SECONDS = 2.0
# So long one address may take, waits included.
_SECONDS = 60.0


def send(address: Address, title: str, text: str, html: str, wait: float = _WAIT_SECONDS) -> str:
    """Send to one address; what went wrong, without secrets, empty where it was taken.

    Services whose own form is text get `text`, all others `html`, in which links stand on words.
    `wait` is in seconds. Raises WrongUse where a variable is not set.
    """
    mask = Mask()
    service = _service(address.resolve(mask), wait)
    if service is None:
        return "apprise cannot read the address"
    import apprise

    courier = apprise.Apprise(asset=service.asset)
    courier.add(service)
    body, body_format = html, apprise.NotifyFormat.HTML
    if _own_format(service) == apprise.NotifyFormat.TEXT:
        body, body_format = text, apprise.NotifyFormat.TEXT
    try:
        result = courier.notify(body=body, title=title, body_format=body_format)
    # Each service is a plugin of its own, and apprise states no errors for them. Returned, it is
    # told by the recipient's name, tried again and shown by the exit code; others get theirs.
    except Exception as error:  # noqa: BLE001 - it becomes the failure that is returned
        return mask(first_line(error))
    if result:
        return ""
    said = [str(entry.message) for entry in result.logs()]
    return mask(" ".join(said[-1].split())) if said else "it was not taken"


def is_readable(address: Address) -> bool:
    """Whether apprise can read an address whose variables are set. Nothing is sent."""
    return _service(address.resolve(Mask()), _WAIT_SECONDS) is not None


def _service(url: str, wait: float) -> apprise.NotifyBase | None:
    import logging

    import apprise

    # What apprise says is asked for below; nothing of it may reach a log with its secrets.
    logging.getLogger("apprise").addHandler(logging.NullHandler())
    asset = apprise.AppriseAsset(
        app_id="Voronka",
        app_desc="Voronka",
        app_url="",
        async_mode=False,
        default_service_retry=ATTEMPTS - 1,
        default_service_wait=wait,
        service_timeout=_SECONDS,
        secure_logging=True,
    )
    found: apprise.NotifyBase | None = apprise.Apprise.instantiate(url, asset=asset)
    return found


def _own_format(service: apprise.NotifyBase) -> object:
    """The form that a service prefers, or that its address asks for."""
    formats: object = service.notify_format
    return formats[0] if isinstance(formats, (tuple, list)) else formats
