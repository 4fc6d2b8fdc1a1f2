"""Signing in by a link: the token after `#` never reaches a log, and becomes a cookie."""

from __future__ import annotations

import base64
import hashlib
from http.cookies import SimpleCookie
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from orchestration.serving.identity import COOKIE, ByToken, NotKnown

_SCRIPT = """
const token = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
if (token) {
  const form = document.forms[0];
  form.token.value = token;
  form.submit();
}
"""
_PAGE = f"""<!doctype html>
<html lang=ru><meta charset=utf-8><title>Воронка</title>
<meta name=viewport content="width=device-width">
<body>
<form method=post action=/enter>
<p>Откройте ссылку, которую вам дали, целиком или вставьте ключ.
<p>Open the whole link that you were given, or paste your token.
<p><input name=token type=password autocomplete=off required aria-label="Ключ / Token">
<button>Войти / Sign in</button>
</form>
<script>{_SCRIPT}</script>
"""
_HASH = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; script-src 'sha256-{_HASH}'; form-action 'self'; frame-ancestors 'none'"
)
_LARGEST_FORM = 8_192


def enter_routes(tokens: ByToken) -> list[Route]:
    """`/enter#TOKEN` sets the cookie, and goes on to the page; `/leave` removes it."""

    async def show(request: Request) -> Response:
        return Response(_PAGE, media_type="text/html", headers={"Content-Security-Policy": _POLICY})

    async def sign_in(request: Request) -> Response:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > _LARGEST_FORM:
                raise NotKnown("That is no token.", "Open the link that you were given.")
        given = parse_qs(body.decode("latin-1")).get("token", [""])[0].strip()
        tokens.read(given)
        return _with_cookie(request, given, tokens.seconds_left(given))

    async def leave(request: Request) -> Response:
        return _with_cookie(request, "", 0)

    return [
        Route("/enter", show, methods=["GET"]),
        Route("/enter", sign_in, methods=["POST"]),
        Route("/leave", leave, methods=["POST"]),
    ]


def _with_cookie(request: Request, token: str, seconds: int) -> Response:
    cookie = SimpleCookie({COOKIE: token})[COOKIE]
    cookie["path"] = "/"
    cookie["httponly"] = True
    cookie["samesite"] = "Lax"
    cookie["max-age"] = seconds
    # Only the browser knows whether the proxy before us speaks TLS.
    cookie["secure"] = request.headers.get("origin", "").startswith("https://")
    response = RedirectResponse("/", 303)
    response.headers["Set-Cookie"] = cookie.OutputString()
    return response
