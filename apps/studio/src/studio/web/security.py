"""Headers that every answer carries, and the check that a form comes from our own page.

Source: OWASP Secure Headers Project; Fetch Metadata (W3C); CSP Level 3.
"""

from __future__ import annotations

from flask import Flask, Response, abort, request

from studio.config import Settings

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def content_security_policy(settings: Settings) -> str:
    """Only our own files; forms may lead on to the pages where is paid, since browsers apply form-action to redirects too."""
    stripe = settings.stripe_url or "https://checkout.stripe.com https://billing.stripe.com https://connect.stripe.com"
    here = f"{settings.scheme}://*.{settings.host} {settings.url}"
    return "; ".join(
        [
            "default-src 'self'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "font-src 'self'", "connect-src 'self'",
            f"form-action 'self' {here} {stripe}", "frame-ancestors 'none'", "base-uri 'none'", "object-src 'none'",
        ]
    )  # fmt: skip


def install(app: Flask, settings: Settings, *, exempt: frozenset[str] = frozenset()) -> None:
    """Add the headers to every answer and refuse unsafe requests that another site made.

    Args:
        exempt: endpoints that other sites are meant to call (the webhook).
    """
    policy = content_security_policy(settings)

    @app.before_request
    def same_site_only() -> None:
        if request.method not in UNSAFE or request.endpoint in exempt:
            return
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            abort(403)
        origin = request.headers.get("Origin")
        if origin not in {None, f"{request.scheme}://{request.host}"}:
            abort(403)

    @app.after_request
    def harden(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=()"
        if settings.scheme == "https":
            response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        if not request.path.startswith("/static/") and "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-store"  # pages hold one studio's data: no cache in between may keep them
        return response
