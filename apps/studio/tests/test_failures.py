from __future__ import annotations

import psycopg
from sqlalchemy import event


def test_a_connection_that_ends_within_a_request_is_a_503_and_the_next_request_is_served(studio_client, studio, services, control_url):
    tenancy, ended = services.database.tenancy, []
    with tenancy.use(studio.key), tenancy.session() as session:
        engine = session.get_bind()

    def end(connection, *_):
        if not ended:
            ended.append(connection.connection.driver_connection.info.backend_pid)
            with psycopg.connect(control_url.replace("+psycopg", ""), autocommit=True) as admin:
                assert admin.execute("SELECT pg_terminate_backend(%s, 30000)", [ended[0]]).fetchone() == (True,)

    event.listen(engine, "before_cursor_execute", end)
    try:
        refused = studio_client.get("/app/calendar")
        served = studio_client.get("/app/calendar")
    finally:
        event.remove(engine, "before_cursor_execute", end)

    assert (len(ended), refused.status_code, refused.headers["Retry-After"]) == (1, 503, "1")
    assert served.status_code == 200
