"""Small builders: events as the registry and funding announce them, and the steps of a recruitment."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import httpx

from shared.events import funding, registry
from shared.http import _now, _today  # the only clock, replaced in tests
from shared.identity import Role
from tests.harness import Harness

PREFIX = "/workforce/v1"
NETWORK, OTHER = "U90001", "U90002"
CHECKS = dict.fromkeys(("identity", "right_to_work", "dbs", "professional_register"), "2022-05-20")


def at(app: Harness, day: date) -> None:
    """Make it that day for the service."""
    from datetime import UTC, datetime

    async def today() -> date:
        return day

    async def now() -> datetime:
        return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)

    app.app.dependency_overrides[_today] = today
    app.app.dependency_overrides[_now] = now


def a_commissioner(code: str = "SA1", system: str = "QZ1") -> registry.CommissionerRegistered:
    return registry.CommissionerRegistered(
        commissioner=code,
        commissioner_name=f"Commissioner {code}",
        system=system,
        system_name=f"System {system}",
        region="YZ1",
        region_name="Region",
        valid_from=date(2019, 4, 1),
    )


def a_network(
    code: str = NETWORK, *, commissioner: str = "SA1", practices: tuple[str, ...] = ("Z80001", "Z80002"), **more: Any
) -> registry.NetworkApproved:
    values: dict[str, Any] = {
        "network": code,
        "network_name": f"Network {code}",
        "commissioner": commissioner,
        "contract_year": "2022-23",
        "approved_on": date(2022, 3, 20),
        "valid_from": date(2022, 4, 1),
        "members": [registry.Member(practice=p, valid_from=date(2022, 4, 1)) for p in practices],
        "decided_by": "round",
    }
    return registry.NetworkApproved(**(values | more))


def some_practices(*codes: str, commissioner: str = "SA1") -> registry.PracticesPublished:
    return registry.PracticesPublished(
        commissioner=commissioner,
        as_at=date(2022, 3, 1),
        practices=[
            registry.PracticeFact(practice=c, practice_name=f"Practice {c}", commissioner=commissioner) for c in codes
        ],
    )


def lists(sizes: dict[str, int], *, commissioner: str = "SA1") -> registry.ListSizesPublished:
    return registry.ListSizesPublished(
        commissioner=commissioner,
        basis="registered",
        snapshot=date(2022, 1, 1),
        known_from=date(2022, 1, 14),
        source="test",
        sizes=[registry.ListSize(practice=p, value=Decimal(n)) for p, n in sizes.items()],
    )


def a_ceiling(
    role: str = "clinical_pharmacist",
    value: str | None = "57318.00",
    first: date = date(2022, 4, 1),
    last: date = date(2023, 3, 31),
    **more: Any,
) -> funding.TariffPublished:
    values: dict[str, Any] = {
        "tariff": f"role_maximum.{role}.national.{first}",
        "kind": "role_maximum",
        "code": role,
        "contract_year": "2022-23",
        "basis": "wte",
        "value": None if value is None else Decimal(value),
        "rate_period": "year",
        "valid_from": first,
        "valid_to": last,
        "known_from": None,
        "confidence": "one_source",
    }
    return funding.TariffPublished(**(values | more))


def a_budget(amount: str | None = "500000.00", network: str = NETWORK, reason: str | None = None) -> funding.BudgetSet:
    return funding.BudgetSet(
        network=network,
        commissioner="SA1",
        contract_year="2022-23",
        amount=None if amount is None else Decimal(amount),
        held_reason=reason,
    )


async def set_up(app: Harness, *, budget: str | None = "500000.00") -> None:
    """An approved network with lists, a ceiling for pharmacists and a sum, on 1 July 2022."""
    at(app, date(2022, 7, 1))
    await app.deliver(
        a_commissioner(),
        some_practices("Z80001", "Z80002"),
        lists({"Z80001": 20_000, "Z80002": 22_000}),
        a_network(),
        a_ceiling(),
        a_budget(budget),
    )


def network_token(app: Harness, code: str = NETWORK) -> dict[str, str]:
    return app.token(Role.NETWORK, organisations=[code], subject="nora")


async def a_plan(app: Harness, *, submit: bool = True, **roles: str) -> dict[str, Any]:
    wanted = roles or {"clinical_pharmacist": "3"}
    made = await app.post(
        f"{PREFIX}/plans",
        {
            "network": NETWORK,
            "contract_year": "2022-23",
            "roles": [{"role": r, "wte": w, "start_month": "2022-05"} for r, w in wanted.items()],
        },
        network_token(app),
    )
    assert made.status_code == 201, made.text
    plan: dict[str, Any] = made.json()
    if submit:
        done = await app.put(f"{PREFIX}/plans/{plan['id']}/submission", {}, network_token(app))
        assert done.status_code == 200, done.text
        plan = done.json()
    return plan


def vacancy(**more: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "network": NETWORK,
        "role": "clinical_pharmacist",
        "wte": "1",
        "employer": "Z80001",
        "opened_on": "2022-05-01",
    }
    return values | more


async def open_vacancy(app: Harness, **more: Any) -> httpx.Response:
    return await app.post(f"{PREFIX}/vacancies", vacancy(**more), network_token(app))


async def up_to_checks(app: Harness, vacancy_id: str, **body: Any) -> httpx.Response:
    days = {"advert": 2, "applications": 5, "shortlist": 8, "interview": 12, "offer": 15}
    for stage, day in days.items():
        moved = await app.put(
            f"{PREFIX}/vacancies/{vacancy_id}/stage",
            {"stage": stage, "on": f"2022-05-{day:02d}"},
            network_token(app),
        )
        assert moved.status_code == 200, moved.text
    values = {"stage": "checks", "on": "2022-05-20", "checks": CHECKS} | body
    return await app.put(f"{PREFIX}/vacancies/{vacancy_id}/stage", values, network_token(app))


async def a_candidate(app: Harness, reference: str = "P-1") -> str:
    made = await app.post(f"{PREFIX}/candidates", {"network": NETWORK, "reference": reference}, network_token(app))
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def in_post(app: Harness, *, candidate: str | None = None, wte: str = "1", **more: Any) -> dict[str, Any]:
    """A post from an opened vacancy, all the way through the API."""
    opened = await open_vacancy(app, wte=wte, **more)
    assert opened.status_code == 201, opened.text
    vacancy_id = opened.json()["id"]
    checked = await up_to_checks(app, vacancy_id)
    assert checked.status_code == 200, checked.text
    made = await app.put(
        f"{PREFIX}/vacancies/{vacancy_id}/appointment",
        {"candidate": candidate or await a_candidate(app), "started_on": "2022-06-01", "wte": wte},
        network_token(app),
    )
    assert made.status_code == 200, made.text
    post: dict[str, Any] = made.json()
    return post


def costs(month: str = "2022-06", salary: str = "3500.00", **more: str) -> dict[str, str]:
    return {"month": month, "salary": salary, "employer_ni": "400.00", "employer_pension": "503.30"} | more
