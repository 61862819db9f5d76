"""Secrets are compared in constant time, each of them and nowhere by anything else."""

import hmac

import pytest

from fastagi.tap_metrics import TapMetrics, serve_metrics
from tests.installation import free_port
from tests.notifier_server import INTAKE_SECRET, running
from zvonok.address import Address

METRICS_TOKEN = "metrics-token-of-the-tests-0123456789"


@pytest.fixture(params=[True, False])
def verdict(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """`hmac.compare_digest` says this of whatever it is given. (How long it takes is CPython's own business.)"""
    monkeypatch.setattr(hmac, "compare_digest", lambda shown, secret: request.param)
    return request.param


async def test_only_compare_digest_decides_whether_a_secret_is_right(verdict: bool) -> None:
    async with running(metrics_token=METRICS_TOKEN) as server:
        for shown in ("wrong", INTAKE_SECRET):
            await server.post_raw(b"{}", secret=shown, status=400 if verdict else 401)
        for shown in ("wrong", METRICS_TOKEN):
            headers = {"Authorization": f"Bearer {shown}"}
            async with server.http.get(server.users + "/metrics", headers=headers) as response:
                assert response.status == (200 if verdict else 403)
        port = free_port()
        metrics = TapMetrics(lambda: iter(()), dict, dict)
        runner = await serve_metrics(Address("127.0.0.1", port), metrics, problems=list, token=METRICS_TOKEN)
        try:
            for shown in ("wrong", METRICS_TOKEN):
                headers = {"Authorization": f"Bearer {shown}"}
                async with server.http.get(f"http://127.0.0.1:{port}/metrics", headers=headers) as response:
                    assert response.status == (200 if verdict else 403)
        finally:
            await runner.cleanup()


async def test_without_a_bearer_nothing_is_compared_and_nothing_is_let_in(verdict: bool) -> None:
    async with running() as server:
        for headers in ({}, {"Authorization": INTAKE_SECRET}, {"Authorization": f"Basic {INTAKE_SECRET}"}):
            async with server.http.post(server.intake + "/intake/v1", data=b"{}", headers=headers) as response:
                assert response.status == 401
            async with server.http.get(server.intake + "/intake/v1", headers=headers) as response:
                assert response.status == 401
            async with server.http.post(server.intake + "/intake/v1/test-call", headers=headers) as response:
                assert response.status == 401
