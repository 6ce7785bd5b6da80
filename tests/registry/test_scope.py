"""Who sees and may do what: what a caller may not see is not found."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from shared.identity import Role
from tests.harness import Harness
from tests.registry.builders import (
    V1,
    allocate,
    commissioner,
    draft,
    form,
    load_sample,
    national,
    open_round,
    practice,
    submitted,
)

NAME = "Invented Harbour PCN"


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


async def test_rounds_and_applications_of_another_area_are_not_found(app: Harness) -> None:
    round = await open_round(app)
    id = (await draft(app, form(NAME, round)))["id"]
    stranger = commissioner(app, "SB2")
    for path in (f"/rounds/{round}", f"/rounds/{round}/coverage", f"/applications/{id}"):
        assert (await app.client.get(V1 + path, headers=stranger)).status_code == 404, path
    for path in ("/rounds", "/applications", "/allocations"):
        assert (await app.client.get(V1 + path, headers=stranger)).json()["items"] == [], path
    for path in (f"/rounds/{round}/decision", f"/applications/{id}/submission", f"/applications/{id}/approval"):
        answer = await app.put(
            V1 + path, {"decided_on": "2022-03-28"} if "decision" in path else {}, stranger, match='"1"'
        )
        assert answer.status_code == 404, path
    answer = await app.post(f"{V1}/applications", form(NAME, round), stranger)
    assert (answer.status_code, answer.json()["code"]) == (404, "RoundNotFound")


async def test_a_system_sees_its_commissioners_and_a_practice_its_own(app: Harness) -> None:
    round = await open_round(app)
    id = (await draft(app, form(NAME, round)))["id"]
    await allocate(app, network="U90001")

    async def counts(headers: dict[str, str]) -> list[int]:
        answers = [await app.client.get(V1 + p, headers=headers) for p in ("/rounds", "/applications", "/allocations")]
        return [len(answer.json()["items"]) for answer in answers]

    system = app.token(Role.SYSTEM, organisations=["QZ1"])
    assert await counts(system) == [1, 1, 1]
    assert await counts(app.token(Role.SYSTEM, organisations=["QZ2"])) == [0, 0, 0]
    assert await counts(practice(app, "Z80001")) == [1, 1, 0]
    assert await counts(practice(app, "Z80004", "other")) == [1, 0, 0]
    assert await counts(practice(app, "Z80010", "outside")) == [1, 0, 1]
    assert await counts(app.token(Role.NETWORK, organisations=["U90011"])) == [1, 1, 0]
    assert await counts(app.token(Role.NETWORK, organisations=["U90001"])) == [0, 0, 1]
    assert await counts(national(app)) == [1, 1, 1]
    assert await counts(app.token(Role.OPERATOR)) == [1, 1, 1]
    payee = app.token(Role.PAYEE, organisations=["Z80001"])
    assert [a["id"] for a in (await app.client.get(f"{V1}/applications", headers=payee)).json()["items"]] == [id]
    assert (await app.client.get(f"{V1}/rounds", headers=payee)).status_code == 403
    trust = app.token(Role.TRUST, organisations=["RX1"])
    assert (await app.client.get(f"{V1}/applications", headers=trust)).status_code == 403


async def test_a_practice_does_not_write_the_application_of_others(app: Harness) -> None:
    round = await open_round(app)
    answer = await app.post(f"{V1}/applications", form(NAME, round), practice(app, "Z80004"))
    assert (answer.status_code, answer.json()["code"]) == (403, "NotYoursToChange")


async def test_a_practice_does_not_decide(app: Harness) -> None:
    round = await open_round(app)
    id = (await draft(app, form(NAME, round)))["id"]
    mine = practice(app, "Z80001")
    for path in (f"/applications/{id}/approval", f"/applications/{id}/return", f"/rounds/{round}/decision"):
        assert (await app.client.put(V1 + path, json={}, headers={**mine, "If-Match": '"1"'})).status_code == 403
    assert (await app.post(f"{V1}/rounds", {}, mine)).status_code == 403


async def test_a_commissioner_opens_rounds_of_its_own_area_only(app: Harness) -> None:
    from tests.registry.builders import terms

    answer = await app.post(f"{V1}/rounds", terms(), commissioner(app, "SB2"))
    assert (answer.status_code, answer.json()["code"]) == (404, "CommissionerNotFound")


async def test_public_register_data_is_read_by_anyone_with_a_token(app: Harness) -> None:
    trust = app.token(Role.TRUST, organisations=["RX1"])
    for path in (
        "/systems",
        "/systems/QZ1",
        "/commissioners",
        "/commissioners/SA1",
        "/practices",
        "/practices/Z80001",
        "/networks",
        "/networks/U90001",
        "/networks/U90001/members",
        "/list-sizes",
        "/statistics",
    ):
        assert (await app.client.get(V1 + path, headers=trust)).status_code == 200, path
        assert (await app.client.get(V1 + path)).status_code == 401, path


@pytest.mark.parametrize(
    ("role", "organisation", "practices", "networks"),
    [
        (Role.NATIONAL, "X", 20, 3),
        (Role.COMMISSIONER, "SB2", 10, 3),
        (Role.COMMISSIONER, "SA1", 10, 0),
        (Role.SYSTEM, "QZ2", 10, 3),
        (Role.NETWORK, "U90001", 3, 1),
        (Role.PRACTICE, "Z80011", 1, 1),
        (Role.TRUST, "RX1", 0, 0),
    ],
)
async def test_figures_are_those_of_the_callers_area(
    app: Harness, role: Role, organisation: str, practices: int, networks: int
) -> None:
    headers = app.token(role, organisations=[organisation])
    figures = (await app.client.get(f"{V1}/statistics?as_at=2022-02-01", headers=headers)).json()
    assert (figures["practices"], figures["networks"]) == (practices, networks)


@pytest.mark.parametrize("portion", ["[0,1)", "[0.5,1)", "[0,0.1)"])
async def test_the_database_itself_refuses_a_second_membership(app: Harness, portion: str) -> None:
    statement = text(
        "insert into memberships (network, practice, portion, valid, known) values "
        "('U90002', 'Z80011', cast(:portion as numrange), '[2022-01-01,)', '[2022-01-01,)')"
    )
    with pytest.raises(IntegrityError, match="ex_memberships_overlap"):
        async with app.session() as session:
            await session.execute(statement, {"portion": portion})


async def test_the_database_takes_a_declared_split_and_not_more_than_one_list(app: Harness) -> None:
    statement = text(
        "insert into memberships (network, practice, portion, valid, known) values "
        "(:network, 'Z80010', cast(:portion as numrange), '[2022-01-01,)', '[2022-01-01,)')"
    )
    async with app.session() as session:
        await session.execute(statement, {"network": "U90001", "portion": "[0,0.6)"})
        await session.execute(statement, {"network": "U90002", "portion": "[0.6,1)"})
    with pytest.raises(IntegrityError, match="ex_memberships_overlap"):
        async with app.session() as session:
            await session.execute(statement, {"network": "U90003", "portion": "[0.9,1)"})
    with pytest.raises(IntegrityError, match="portion_of_one_list"):
        async with app.session() as session:
            await session.execute(statement, {"network": "U90003", "portion": "[1,1.2)"})


async def test_a_committee_reads_what_it_did_and_not_what_the_commissioner_it_speaks_to_did(app: Harness) -> None:
    round = await open_round(app)
    id = await submitted(app, form("Invented Harbour PCN", round))
    lena = app.token(Role.LMC, organisations=["SA1"], subject="lena")
    body = {"opinion": "agrees"}
    assert (await app.put(f"{V1}/applications/{id}/opinion", body, lena)).status_code == 200

    async def trail(headers: dict[str, str]) -> list[tuple[str, str]]:
        items = (await app.client.get(f"{V1}/audit?limit=1000", headers=headers)).json()["items"]
        return [(entry["subject"], entry["request"].rsplit("/", 1)[-1]) for entry in items]

    assert set(await trail(lena)) == {("lena", "opinion")}
    assert await trail(app.token(Role.LMC, organisations=["SB2"], subject="luke")) == []
    both = set(await trail(commissioner(app)))
    assert {("lena", "opinion"), ("carl", "rounds"), ("carl", "submission")} <= both
