"""A contract year is two years in a row, whoever asks which service."""

from __future__ import annotations

from datetime import date

import pytest

from shared.identity import Role
from shared.years import is_contract_year, months_before, months_of, year_end, year_of_day, year_start
from tests.harness import Harness

ASKED = {
    "registry": ("rounds",),
    "funding": ("budgets", "claims", "entitlements", "payment-runs", "tariffs"),
    "workforce": ("plans",),
    "reporting": ("deadlines", "spend"),
}


@pytest.mark.parametrize(
    "year", ["2022-24", "2018-19", "2022-22", "2099-00", "2022/23", "22-23", "２０２２-23", "2022-23 "]
)
def test_what_is_no_contract_year(year: str) -> None:
    assert not is_contract_year(year)


@pytest.mark.parametrize("start", range(2019, 2099))
def test_every_year_of_the_networks_is_one_and_holds_its_months(start: int) -> None:
    year = year_of_day(date(start, 4, 1))
    assert is_contract_year(year)
    assert (year_start(year), year_end(year)) == (date(start, 4, 1), date(start + 1, 3, 31))
    assert {year_of_day(year_start(year)), year_of_day(year_end(year))} == {year}
    assert len(months_of(year)) == 12


def test_so_many_months_earlier() -> None:
    assert months_before(date(2022, 8, 31), 18) == date(2021, 2, 28)
    assert months_before(date(2022, 4, 1), 18) == date(2020, 10, 1)
    assert months_before(date(2022, 1, 15), 1) == date(2021, 12, 15)


async def test_every_service_refuses_the_same_years(
    registry_app: Harness, funding_app: Harness, workforce_app: Harness, reporting_app: Harness
) -> None:
    for app in (registry_app, funding_app, workforce_app, reporting_app):
        name = app.service.name
        for noun in ASKED[name]:
            for year, expected in (("2022-24", 422), ("2018-19", 422), ("2022-23", 200)):
                answer = await app.client.get(
                    f"/{name}/v1/{noun}",
                    params={"contract_year": year, **({"network": "U1"} if noun == "entitlements" else {})},
                    headers=app.token(Role.NATIONAL),
                )
                if expected == 422:
                    assert answer.status_code == 422, (name, noun, year)
                    assert [e["field"] for e in answer.json()["errors"]] == ["query.contract_year"]
                else:
                    assert answer.status_code == (404 if noun == "entitlements" else 200), (name, noun, answer.text)
