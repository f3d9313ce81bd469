"""Generated requests to everything that the OpenAPI descriptions name: no answer is a server's error."""

from __future__ import annotations

import schemathesis
from fleetkit import NOW, PaperHandheld
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_tools.server import console, devices
from host_tools.server.store import Store

KEY = "the-console-key"
HEADERS = {"authorization": f"Bearer {KEY}"}


def ask(operation, statuses: set[int]) -> None:
    """So many requests to one operation."""

    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data) -> None:
        case = data.draw(operation.as_strategy())
        answer = case.call(base_url="http://localhost", headers=HEADERS)
        assert answer.status_code < 500, (operation.path, answer.status_code)
        statuses.add(answer.status_code)

    check()


def test_no_generated_request_breaks_the_server(where, monkeypatch):
    monkeypatch.setattr(devices, "ENROL_BURST", 10**6)
    store = Store(where)
    handheld = PaperHandheld.enrolled(store)
    handheld.write(3)
    apps = (
        console.make_app(store, devices.Bell(), KEY, 8703, clock=lambda: NOW),
        devices.make_app(store, devices.Bell(), clock=lambda: NOW),
    )
    found = []
    for app in apps:
        schema = schemathesis.openapi.from_dict(app.openapi())
        schema.app = app
        found += [operation.ok() for operation in schema.get_all_operations()]
    paths = {operation.path for operation in found}
    assert {"/api/records", "/api/traces", "/api/traces/{number}", "/v1/sync", "/v1/enrol"} <= paths
    statuses: set[int] = set()
    for operation in found:
        ask(operation, statuses)
    assert {200, 201} & statuses and statuses & {400, 404, 422}
    store.close()
