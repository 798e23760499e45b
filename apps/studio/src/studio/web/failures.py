"""Every refusal and failure as a page in plain words, or as a fragment or JSON where that was asked for."""

from __future__ import annotations

import structlog
from flask import Flask, Response, jsonify, make_response, redirect, render_template, request
from flask_babel import gettext as _
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from roomtone_tenancy.errors import CatalogUnavailable
from studio.errors import NotAllowed, NotFound, NotSignedIn, Refused, TooManyAttempts

log = structlog.get_logger()


def install(app: Flask) -> None:
    """Map the app's errors to answers."""
    app.register_error_handler(NotSignedIn, _to_sign_in)
    app.register_error_handler(NotAllowed, lambda _error: failure(403))
    app.register_error_handler(NotFound, lambda _error: failure(404))
    app.register_error_handler(CatalogUnavailable, lambda _error: failure(503))
    app.register_error_handler(TooManyAttempts, _too_many)
    app.register_error_handler(Refused, lambda error: failure(409, str(error)))
    app.register_error_handler(DBAPIError, _database)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def _to_sign_in(_error: Exception) -> BaseResponse:
    """To the sign-in page and, for a page that was only read, back afterwards."""
    wanted = request.full_path.rstrip("?") if request.method == "GET" and "HX-Request" not in request.headers else ""
    target = "/sign-in" + (f"?next={wanted}" if wanted not in {"", "/"} else "")
    if "HX-Request" in request.headers:
        return Response(status=204, headers={"HX-Redirect": target})
    return redirect(target)


def _too_many(error: TooManyAttempts) -> Response:
    response = failure(429, _("Too many attempts. Try again in %(seconds)s seconds.", seconds=error.retry_after_s))
    response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def _http(error: HTTPException) -> Response | HTTPException:
    if error.code is None or error.code < 400:
        return error
    return failure(error.code)


def _database(error: DBAPIError) -> Response:
    """A connection that ended while the request was served, as all of a studio's do when its state changes, says nothing against it."""
    if not error.connection_invalidated:
        return _unexpected(error)
    log.warning("connection ended", error=str(error.orig))
    response = failure(503)
    response.headers["Retry-After"] = "1"
    return response


def _unexpected(error: Exception) -> Response:
    log.exception("unexpected", error=type(error).__name__)
    return failure(500)


def failure(status: int, message: str | None = None) -> Response:
    """The answer to something refused or failed, in the form that was asked for; the message is a whole, translated sentence."""
    if request.accept_mimetypes.best == "text/css":
        return Response("", status, mimetype="text/css")  # a page of words in place of a stylesheet is an error of its own
    if request.accept_mimetypes.best == "application/json":
        response = jsonify(message=message or _("Something went wrong. Nothing was saved; please try again."))
    elif "HX-Request" in request.headers and message is not None:
        response = make_response(render_template("refusal.html", message=message))
    else:
        response = make_response(render_template("error.html", status=status, message=message))
    response.status_code = status
    return response
