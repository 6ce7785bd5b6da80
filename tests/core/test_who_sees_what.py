"""Every route of every service, asked by every role: nobody sees or changes what belongs to an area next door."""

from __future__ import annotations

from typing import Any

from shared.identity import Role
from tests.core.test_bad_input import Faults, doors, knock
from tests.core.world import LOCAL, World

HIDDEN = {403, 404}


async def test_nobody_comes_in_without_a_token(world: World) -> None:
    faults = Faults()
    for door in doors(world):
        faults.see(door.name, await knock(world, door, without=["Authorization"]), refused={401})
    faults.settle()


async def test_only_the_roles_a_route_names_come_in(world: World) -> None:
    faults = Faults()
    for door in doors(world):
        for role in set(Role) - door.roles:
            answer = await knock(world, door, headers=world.caller(role))
            faults.see(f"{door.name} as {role}", answer, refused={403})
        no_role = world.app.token(organisations=world.own.values())
        faults.see(f"{door.name} without a role", await knock(world, door, headers=no_role), refused={403})
    faults.settle()


async def test_a_thing_of_another_organisation_is_not_found(world: World) -> None:
    """Read or changed, by every role that acts for one organisation: not found, and its owner does find it."""
    faults = Faults()
    owners = 0
    for door in doors(world):
        if not door.single or door.path in world.public or "/messages/" in door.path:
            continue
        local = door.roles & set(LOCAL)
        for role in sorted(local):
            for headers in (
                world.caller(role, strange=True, path=door.path),
                world.app.token(role, organisations=[]),
                world.app.token(role, organisations=["ZZ999"]),
                world.app.token(role, organisations=["%", "_____", "U%", "*"]),
            ):
                answer = await knock(world, door, headers=headers)
                listed = answer.status_code == 200 and "items" in answer.json()  # the other's rows of a common thing
                faults.see(f"{door.name} as another {role}", answer, refused=False if listed else HIDDEN)
                if listed:
                    mine = await knock(world, door, headers=world.caller(role, path=door.path))
                    if not rows(mine.json()) or any(row in rows(mine.json()) for row in rows(answer.json())):
                        faults.append(f"{door.name}: {role} and its neighbour see the same rows")
        if door.method == "GET" and local:
            here = [world.caller(role, path=door.path) for role in sorted(local)]
            seen = [(await knock(world, door, headers=headers)).status_code for headers in here]
            owners += 1
            if 200 not in seen:
                faults.append(f"{door.name}: no owner finds it: {seen}")
    faults.settle() if owners or faults.cases else None


async def test_nothing_of_another_organisation_is_listed(world: World) -> None:
    """Each side sees something of its own in each list, and no row of the other's."""
    faults = Faults()
    for door in doors(world):
        if door.method != "GET" or door.single or door.path in world.public:
            continue
        owned = 0
        for role in sorted(door.roles & set(LOCAL)):
            mine = await knock(world, door, headers=world.caller(role))
            if mine.status_code in HIDDEN:  # a question about one network
                faults.see(f"{door.name} as {role}", mine, refused=HIDDEN)
                continue
            theirs = await knock(world, door, headers=world.caller(role, strange=True))
            if world.asked.get(door.path, {}).keys() & {"network", "payee"}:
                faults.see(f"{door.name} as another {role}", theirs, refused=HIDDEN)
                owned += mine.status_code == 200
                continue
            faults.see(f"{door.name} as {role}", mine, refused=False)
            faults.see(f"{door.name} as another {role}", theirs, refused=False)
            shared = [row for row in rows(mine.json()) if row in rows(theirs.json())]
            if shared:
                faults.append(f"{door.name}: {role} and its neighbour both see {shared[0]}")
            owned += len(rows(mine.json()))
            nobody = await knock(world, door, headers=world.app.token(role, organisations=["%", "U%", "ZZ999"]))
            if nobody.status_code != 200 or rows(nobody.json()):
                faults.append(f"{door.name}: {role} of nobody sees {nobody.text[:200]}")
        if door.roles & set(LOCAL) and not owned and door.path not in world.empty:
            faults.append(f"{door.name}: no owner finds anything")
    faults.settle()


def rows(answer: dict[str, Any]) -> list[Any]:
    items: list[Any] = answer["items"]
    return items


async def test_nobody_writes_in_the_name_of_another(world: World) -> None:
    """A well-formed POST about an area next door is refused, and nothing is told of it."""
    faults = Faults()
    before = len(await world.app.announced())
    for door in doors(world):
        if door.method != "POST" or door.single:
            continue
        for role in sorted(door.roles & set(LOCAL)):
            for headers in (world.caller(role, strange=True), world.app.token(role, organisations=[])):
                answer = await knock(world, door, headers=headers)
                faults.see(f"{door.name} as another {role}", answer, refused=HIDDEN)
    if len(await world.app.announced()) != before:
        faults.append("something was announced")
    if world.app.service.name in {"registry", "workforce"}:
        faults.settle()
    assert not faults
