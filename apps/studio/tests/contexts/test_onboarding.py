"""The set-up wizard, as a new owner walks it."""

from studio.contexts.scheduling import queries
from studio.contexts.settings import queries as settings

ROOMS = {
    "rooms-0-name": "Studio A",
    "rooms-0-kind": "live",
    "rooms-0-capacity": "8",
    "rooms-1-name": "Booth",
    "rooms-1-kind": "booth",
    "rooms-1-capacity": "2",
    "save": "1",
}
HOURS = {f"days-{day}-{name}": value for day in range(5) for name, value in [("is_open", "y"), ("opens", "10:00"), ("closes", "22:00")]}


def test_the_wizard_leads_through_rooms_hours_and_rates_to_the_calendar(studio_client, services, studio):
    assert studio_client.get("/onboarding").location == "/onboarding/rooms"
    assert 'value="Studio A"' in studio_client.get("/onboarding/rooms").text
    assert studio_client.post("/onboarding/rooms", data=ROOMS).location == "/onboarding/hours"
    assert studio_client.post("/onboarding/hours", data=HOURS).location == "/onboarding/rates"
    with services.database.tenancy.use(studio.key), services.database.studio() as db:
        rooms = queries.rooms(db)
    prices = {
        f"rates-{n}-{name}": value for n, r in enumerate(rooms) for name, value in [("public_id", r.public_id), ("price", f"{n + 4}5,50")]
    }

    last = studio_client.post("/onboarding/rates", data=prices)

    assert last.location == "/app/calendar"
    with services.database.tenancy.use(studio.key), services.database.studio() as db:
        assert [(r.name, r.kind, r.capacity) for r in queries.rooms(db)] == [("Studio A", "live", 8), ("Booth", "booth", 2)]
        assert len(queries.openings(db)) == 5
        assert [r.hourly_minor for r in queries.rates(db)] == [4550, 5550]
        assert settings.load(db).next_step is None


def test_rows_are_added_and_removed_without_saving_anything(studio_client, services, studio):
    added = studio_client.post("/onboarding/rooms", data=ROOMS | {"add": "1"})
    removed = studio_client.post("/onboarding/rooms", data=ROOMS | {"remove": "0"})

    assert 'name="rooms-2-name"' in added.text
    assert 'value="Booth"' in removed.text
    assert 'value="Studio A"' not in removed.text
    with services.database.tenancy.use(studio.key), services.database.studio() as db:
        assert queries.rooms(db) == []


def test_a_room_that_lost_its_row_is_taken_out_of_use(studio_client, services, studio):
    studio_client.post("/onboarding/rooms", data=ROOMS)
    with services.database.tenancy.use(studio.key), services.database.studio() as db:
        first = queries.rooms(db)[0]
    only = {name: value for name, value in ROOMS.items() if name.startswith(("rooms-0", "save"))}

    studio_client.post("/onboarding/rooms", data=only | {"rooms-0-public_id": first.public_id, "rooms-0-name": "The Hall"})

    with services.database.tenancy.use(studio.key), services.database.studio() as db:
        assert [(r.public_id, r.name) for r in queries.rooms(db)] == [(first.public_id, "The Hall")]


def test_two_rooms_of_one_name_are_refused(studio_client):
    answer = studio_client.post("/onboarding/rooms", data=ROOMS | {"rooms-1-name": "studio a"})

    assert answer.status_code == 422
    assert "Two rooms have the same name" in answer.text


def test_a_studio_that_is_never_open_is_refused(studio_client):
    answer = studio_client.post("/onboarding/hours", data={})

    assert answer.status_code == 422
    assert "Open on one day at the least" in answer.text


def test_an_open_day_without_times_is_refused(studio_client):
    answer = studio_client.post("/onboarding/hours", data={"days-0-is_open": "y"})

    assert answer.status_code == 422
    assert "Enter when it opens and closes." in answer.text


def test_a_price_that_is_no_amount_is_refused(studio_client, services, studio):
    studio_client.post("/onboarding/rooms", data=ROOMS)
    with services.database.tenancy.use(studio.key), services.database.studio() as db:
        public_id = queries.rooms(db)[0].public_id

    answer = studio_client.post("/onboarding/rates", data={"rates-0-public_id": public_id, "rates-0-price": "a lot"})

    assert answer.status_code == 422
    assert "Enter an amount such as 45" in answer.text
