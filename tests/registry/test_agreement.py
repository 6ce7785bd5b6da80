"""The network agreement: drafted, sent, signed by every party, in force, superseded, and a network that is live."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.events import registry as events
from shared.events.registry import FinanceTerms, MemberShare
from shared.identity import Role
from tests.harness import Harness
from tests.registry.builders import V1, codes, commissioner, load_sample, national, practice
from tests.registry.network_life import (
    HOME,
    MEMBERS,
    circulate,
    drafted,
    lead,
    network,
    on_paper,
    read,
    refused,
    said,
    sent,
    sign,
    signed_on_paper,
    take_partner,
    terms,
    version,
)


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


async def live(app: Harness, day: str, more: str = "") -> bool:
    found: bool = (await read(app, f"{HOME}?as_at={day}{more}"))["live"]
    return found


async def told(app: Harness, *kinds: type[Any]) -> list[Any]:
    return [e for e in await app.announced() if isinstance(e, kinds)]


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+", "%2B")


async def test_an_agreement_is_in_force_when_the_last_practice_has_signed_and_the_network_is_live(app: Harness) -> None:
    number = await sent(app)
    for who in MEMBERS[:2]:
        assert (await sign(app, who)).status_code == 201
    waiting = await read(app, f"{HOME}/agreement/versions/{number}")
    assert (waiting["stage"], waiting["complete"]) == ("sent", False)
    assert [p["practice"] for p in waiting["parties"] if p["signed_on"] is None] == ["Z80013"]
    assert await refused(app, f"{HOME}/agreement", network(app)) == (404, "AgreementNotFound")

    last = await sign(app, "Z80013")
    assert last.status_code == 201, last.text
    today = date.fromisoformat(last.json()["signed_on"])
    agreement = await read(app, f"{HOME}/agreement", network(app))
    assert (agreement["number"], agreement["stage"], agreement["live"]) == (1, "in_force", True)
    assert agreement["valid_from"] == today.isoformat(), "a version is in force when the last party has signed"
    assert agreement["terms"]["finance"]["pays_on"]["rule"] == "shares"
    assert agreement["human_resources"]
    listed = await read(app, f"{V1}/networks?live=true")
    assert [(n["code"], n["agreement"], n["live"]) for n in listed["items"]] == [("U90001", 1, True)]
    (event,) = await told(app, events.AgreementSigned)
    assert event == events.AgreementSigned(
        network="U90001",
        commissioner="SB2",
        agreement_version=1,
        in_force_from=today,
        finance=FinanceTerms(
            rule="shares",
            shares=[
                MemberShare(practice="Z80011", share=Decimal("0.5")),
                MemberShare(practice="Z80012", share=Decimal("0.3")),
                MemberShare(practice="Z80013", share=Decimal("0.2")),
            ],
        ),
        human_resources=True,
    )


async def test_a_network_loaded_from_the_register_is_not_called_live(app: Harness) -> None:
    networks = (await read(app, f"{V1}/networks?as_at=2022-04-01"))["items"]
    assert {(n["agreement"], n["live"]) for n in networks} == {(None, False)}
    assert (await read(app, f"{V1}/networks?as_at=2022-04-01&live=true"))["items"] == []
    assert len((await read(app, f"{V1}/networks?as_at=2022-04-01&live=false"))["items"]) == len(networks)


async def test_paper_signatures_put_an_agreement_in_force_on_its_own_day(app: Harness) -> None:
    await signed_on_paper(app)
    assert not await live(app, "2022-03-31")
    assert await live(app, "2022-04-01")
    agreement = await read(app, f"{HOME}/agreement?as_at=2022-04-01")
    assert (agreement["valid_from"], agreement["valid_to"]) == ("2022-04-01", None)
    signatures = (await read(app, f"{HOME}/agreement/signatures?as_at=2022-03-15&number=1"))["items"]
    assert {(s["practice"], s["signed_by"], s["signed_on"]) for s in signatures} == {
        (who, "cora", "2022-03-15") for who in MEMBERS
    }
    assert (await read(app, f"{HOME}/agreement/signatures?as_at=2022-03-14"))["items"] == []


async def test_everything_a_draft_lacks_is_listed_at_once(app: Harness) -> None:
    await drafted(app, terms={})
    answer = await circulate(app)
    assert said(answer) == (422, "Invalid")
    assert codes(answer) == ["missing"] * 9


async def test_shares_name_every_member_and_nobody_else(app: Harness) -> None:
    shares = {
        "rule": "shares",
        "shares": [{"practice": "Z80011", "share": "0.6"}, {"practice": "Z80014", "share": "0.4"}],
    }
    body = {"activities": [{"activity": "Clinics", "delivered_by": ["RX9"]}]}
    await drafted(app, terms=terms(finance={"pays_on": shares}, activities=body), named_partners={"Z80014": ["Dr A"]})
    answer = await circulate(app)
    assert codes(answer) == ["not_a_member", "left_out", "left_out", "not_a_party", "not_a_member"]


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"rule": "shares", "shares": [{"practice": "Z80011", "share": "0.9"}]}, "add up to 0.9"),
        ({"rule": "shares", "shares": [{"practice": "Z80011", "share": "0.5"}] * 2}, "named twice"),
        ({"rule": "fixed", "sums": [{"practice": "Z80011", "amount": "1.234"}]}, "two decimal places"),
        ({"rule": "magic"}, "does not match"),
    ],
)
async def test_a_rule_of_money_that_does_not_fit_is_refused(app: Harness, rule: Any, why: str) -> None:
    answer = await app.post(f"{HOME}/agreement/versions", version(terms=terms(finance={"pays_on": rule})), network(app))
    assert said(answer) == (422, "Invalid")
    assert why in answer.text


@pytest.mark.parametrize(
    "rule",
    [
        {"rule": "equal"},
        {"rule": "registered"},
        {"rule": "weighted"},
        {"rule": "points", "weighted_by_list": True},
        {"rule": "fixed", "sums": [{"practice": who, "amount": "1200.50"} for who in MEMBERS]},
    ],
)
async def test_the_rule_of_money_is_told_to_who_pays_on(app: Harness, rule: dict[str, Any]) -> None:
    await signed_on_paper(app, terms=terms(finance={"pays_on": rule, "costs_first": False}))
    (event,) = await told(app, events.AgreementSigned)
    assert (event.finance.rule, event.finance.costs_first) == (rule["rule"], False)
    assert [(s.practice, s.amount) for s in event.finance.sums] == [
        (s["practice"], Decimal("1200.50")) for s in rule.get("sums", [])
    ]
    assert event.finance.points_weighted == (rule["rule"] == "points")


async def test_what_was_sent_never_changes(app: Harness) -> None:
    number = await sent(app)
    path = f"{HOME}/agreement/versions/{number}"
    tag = (await app.client.get(path, headers=network(app))).headers["etag"]
    assert said(await app.put(path, version(), network(app), match=tag)) == (409, "AgreementNotDraft")
    assert said(await circulate(app, number)) == (409, "AgreementNotDraft")
    draft = await drafted(app)
    path = f"{HOME}/agreement/versions/{draft['number']}"
    tag = (await app.client.get(path, headers=network(app))).headers["etag"]
    changed = await app.put(path, version(in_force_from="2022-07-01", terms={}), network(app), match=tag)
    assert (changed.status_code, changed.json()["in_force_from"]) == (200, "2022-07-01")
    assert (await app.put(path, version(), network(app), match=tag)).status_code == 412
    assert (await app.client.put(path, json=version(), headers=network(app))).status_code == 428


async def test_a_party_signs_for_itself_once_and_only_what_was_sent(app: Harness) -> None:
    await drafted(app)
    assert said(await sign(app, "Z80011")) == (409, "AgreementNotSent")
    assert (await circulate(app)).status_code == 200
    assert said(await sign(app, "Z80011", headers=practice(app, "Z80012"))) == (403, "NotYoursToSign")
    assert said(await sign(app, "Z80014", headers=practice(app, "Z80014"))) == (404, "AgreementNotFound")
    assert said(await sign(app, "Z80014", headers=lead(app), **on_paper("2022-03-01"))) == (409, "NotAParty")
    assert said(await sign(app, "Z80021", headers=lead(app), **on_paper("2022-03-01"))) == (409, "NotAParty")
    without = await sign(app, "Z80011", headers=lead(app), signed_on="2022-03-01")
    assert (said(without), codes(without)) == ((422, "Invalid"), ["missing"])
    early = await sign(app, "Z80011", signed_on="2022-03-01")
    assert codes(early) == ["before_it_was_sent"]
    future = await sign(app, "Z80011", signed_on="2199-01-01")
    assert codes(future) == ["in_the_future"]
    both = await sign(app, "Z80011", partner="par-1")
    assert [e["field"] for e in both.json()["errors"]] == ["body.partner"]
    assert said(await sign(app, "Z80011", 7)) == (404, "AgreementNotFound")
    assert (await sign(app, "Z80011")).status_code == 201
    assert said(await sign(app, "Z80011")) == (409, "SignedAlready")
    forged = await sign(app, "Z80011", headers=network(app))
    assert said(forged) == (403, "Forbidden")


async def test_every_named_partner_of_a_practice_signs(app: Harness) -> None:
    number = await sent(app, named_partners={"Z80011": ["Dr Ash (invented)", "Dr Birch (invented)"]})
    for who in MEMBERS[1:]:
        await sign(app, who)
    nameless = await sign(app, "Z80011")
    assert said(nameless) == (409, "NotAParty")
    assert "Dr Ash (invented), Dr Birch (invented)" in nameless.json()["detail"]
    assert (await sign(app, "Z80011", person="Dr Ash (invented)")).status_code == 201
    force = f"{HOME}/agreement/versions/{number}/force"
    tag = (await app.client.get(f"{HOME}/agreement/versions/{number}", headers=network(app))).headers["etag"]
    held = await app.put(force, None, network(app), match=tag)
    assert said(held) == (409, "SignaturesMissing")
    assert (await sign(app, "Z80011", person="Dr Birch (invented)")).status_code == 201
    assert (await read(app, f"{HOME}/agreement"))["live"]


async def test_a_partner_organisation_that_is_party_signs_too(app: Harness) -> None:
    trust = (await take_partner(app, organisation="RX1", kind="trust", name="Trust", party=True)).json()["id"]
    number = await signed_on_paper(app)
    assert (await read(app, f"{HOME}/agreement/versions/{number}"))["stage"] == "sent"
    hers = app.token(Role.TRUST, organisations=["RX1"])
    body = {"number": number, "partner": trust, "signatory": "The chief executive"}
    other = app.token(Role.TRUST, organisations=["RX2"])
    assert said(await app.post(f"{HOME}/agreement/signatures", body, other)) == (404, "AgreementNotFound")
    answer = await app.post(f"{HOME}/agreement/signatures", body, hers)
    assert answer.status_code == 201, answer.text
    assert (await read(app, f"{HOME}/agreement", hers))["live"]


async def test_a_new_version_takes_the_place_of_the_one_before_from_its_day(app: Harness) -> None:
    await signed_on_paper(app)
    before = now()
    await signed_on_paper(app, in_force_from="2022-10-01", terms=terms(finance={"pays_on": {"rule": "equal"}}))
    held = [(await read(app, f"{HOME}/agreement?as_at={day}"))["number"] for day in ("2022-09-30", "2022-10-01")]
    assert held == [1, 2]
    assert (await read(app, f"{HOME}/agreement?as_at=2022-10-01&known_at={before}"))["number"] == 1
    versions = (await read(app, f"{HOME}/agreement/versions?as_at=2022-10-01"))["items"]
    assert [(v["number"], v["stage"]) for v in versions] == [(1, "superseded"), (2, "in_force")]
    versions = (await read(app, f"{HOME}/agreement/versions?as_at=2022-09-30"))["items"]
    assert [(v["number"], v["stage"]) for v in versions] == [(1, "in_force"), (2, "signed")]
    assert len((await read(app, f"{HOME}/agreement/versions?known_at={before}"))["items"]) == 1


async def in_force(app: Harness, *asked: str) -> list[int | None]:
    found = [await app.client.get(f"{HOME}/agreement?as_at={day}", headers=network(app)) for day in asked]
    assert {answer.status_code for answer in found} <= {200, 404}
    return [answer.json().get("number") for answer in found]


async def test_a_version_that_ends_does_not_bring_back_the_one_it_took_the_place_of(app: Harness) -> None:
    await signed_on_paper(app)
    await signed_on_paper(app, in_force_from="2022-10-01")
    before = now()
    ending = {"last_day": "2022-12-31", "reason": "The network dissolves."}
    path = f"{HOME}/agreement/versions/2"
    assert (await app.put(f"{path}/ending", ending, network(app))).status_code == 200
    days = ("2022-09-30", "2022-10-01", "2022-12-31", "2023-01-01", "2023-06-01")
    assert await in_force(app, *days) == [1, 2, 2, None, None]
    assert await in_force(app, f"2023-01-01&known_at={before}") == [2]
    assert [await live(app, day) for day in days] == [True, True, True, False, False]
    versions = (await read(app, f"{HOME}/agreement/versions?as_at=2023-01-01"))["items"]
    assert [(v["number"], v["stage"]) for v in versions] == [(1, "superseded"), (2, "ended")]
    # only where the second turns out never to have been in force does the first hold again, on all its days
    (wrong,) = [
        s for s in (await read(app, f"{HOME}/agreement/signatures?number=2"))["items"] if s["practice"] == "Z80012"
    ]
    why = {"reason": "Recorded for the wrong practice."}
    back = await app.put(f"{HOME}/agreement/signatures/{wrong['id']}/withdrawal", why, lead(app))
    assert back.status_code == 200
    assert await in_force(app, *days) == [1, 1, 1, 1, 1]


async def test_what_was_on_paper_before_may_be_entered_after_and_leaves_the_newer_in_force(app: Harness) -> None:
    await signed_on_paper(app, in_force_from="2022-10-01")
    await signed_on_paper(app, in_force_from="2022-04-01")
    assert await in_force(app, "2022-04-01", "2022-10-01") == [2, 2]
    ending = {"last_day": "2022-09-30", "reason": "Replaced."}
    assert (await app.put(f"{HOME}/agreement/versions/2/ending", ending, lead(app))).status_code == 200
    assert await in_force(app, "2022-09-30", "2022-10-01") == [2, 1]


async def leaves(app: Harness, practice: str, first_day_without: date) -> None:
    from services.registry.networks.model import Membership
    from shared.facts import days, withdraw

    async with app.session() as session:
        at = datetime(2022, 6, 1, tzinfo=UTC)
        await withdraw(session, Membership, now=at, days=days(first_day_without), practice=practice)


async def taken_back(app: Harness, who: str, number: int) -> None:
    (wrong,) = [
        s["id"]
        for s in (await read(app, f"{HOME}/agreement/signatures?number={number}"))["items"]
        if s["practice"] == who and not s["withdrawn_reason"]
    ]
    path = f"{HOME}/agreement/signatures/{wrong}/withdrawal"
    assert (await app.put(path, {"reason": "It was never given."}, lead(app))).status_code == 200


async def test_an_end_outlives_signatures_that_move_the_first_day_and_is_told_again(app: Harness) -> None:
    number = await signed_on_paper(app)
    await leaves(app, "Z80013", date(2022, 7, 1))
    ending = {"last_day": "2022-12-31", "reason": "The network dissolves."}
    assert (await app.put(f"{HOME}/agreement/versions/{number}/ending", ending, lead(app))).status_code == 200
    await taken_back(app, "Z80013", number)
    days = ("2022-06-01", "2022-06-30", "2022-07-01", "2022-12-31", "2023-01-01")
    assert await in_force(app, *days) == [None, None, 1, 1, None]
    assert (await sign(app, "Z80013", number, lead(app), **on_paper("2022-06-01"))).status_code == 201
    assert await in_force(app, *days) == [1, 1, 1, 1, None]
    news = await told(app, events.AgreementSigned, events.AgreementEnded)
    assert [e.in_force_from if isinstance(e, events.AgreementSigned) else e.last_day for e in news] == [
        date(2022, 4, 1),
        date(2022, 12, 31),
        date(2022, 7, 1),
        date(2022, 12, 31),
        date(2022, 6, 1),
        date(2022, 12, 31),
    ]


async def test_a_version_complete_only_after_its_end_was_never_in_force(app: Harness) -> None:
    number = await signed_on_paper(app)
    await leaves(app, "Z80013", date(2022, 7, 1))
    path = f"{HOME}/agreement/versions/{number}"
    ending = {"last_day": "2022-05-31", "reason": "The network dissolves."}
    assert (await app.put(f"{path}/ending", ending, lead(app))).status_code == 200
    await taken_back(app, "Z80013", number)
    assert await in_force(app, "2022-04-01", "2022-05-31", "2022-07-01") == [None, None, None]
    assert (await told(app, events.AgreementEnded))[-1].last_day == date(2022, 3, 31)
    assert (await read(app, path))["stage"] == "sent"


async def test_a_signature_taken_back_puts_the_version_before_in_force_again(app: Harness) -> None:
    await signed_on_paper(app)
    await signed_on_paper(app, in_force_from="2022-10-01")
    before = now()
    (wrong,) = [
        s for s in (await read(app, f"{HOME}/agreement/signatures?number=2"))["items"] if s["practice"] == "Z80012"
    ]
    path = f"{HOME}/agreement/signatures/{wrong['id']}"
    why = {"reason": "Recorded for the wrong practice."}
    assert said(await app.put(f"{path}/withdrawal", why, network(app, "U90002"), match='"1"')) == (
        404,
        "AgreementNotFound",
    )
    back = await app.put(f"{path}/withdrawal", why, lead(app))
    assert (back.status_code, back.json()["withdrawn_reason"]) == (200, why["reason"])
    assert (await read(app, f"{HOME}/agreement?as_at=2022-10-01"))["number"] == 1
    assert (await read(app, f"{HOME}/agreement?as_at=2022-10-01&known_at={before}"))["number"] == 2
    (event,) = await told(app, events.AgreementEnded)
    assert (event.agreement_version, event.last_day) == (2, date(2022, 9, 30))
    again = await sign(app, "Z80012", 2, lead(app), **on_paper("2022-11-05"))
    assert again.status_code == 201
    assert (await read(app, f"{HOME}/agreement?as_at=2022-11-04"))["number"] == 1
    assert (await read(app, f"{HOME}/agreement?as_at=2022-11-05"))["number"] == 2
    assert (await refused(app, f"{HOME}/agreement/signatures/sig-none", lead(app))) == (404, "SignatureNotFound")
    assert (await read(app, path))["withdrawn_reason"] == why["reason"]
    then = await read(app, f"{path}?as_at=2022-10-01&known_at={before}")
    assert (then["id"], then["practice"]) == (wrong["id"], "Z80012")
    for asked in ("as_at=2022-10-01", f"as_at=2021-01-01&known_at={before}", "known_at=2020-01-01T00:00:00"):
        assert (await refused(app, f"{path}?{asked}", lead(app))) == (404, "SignatureNotFound")


async def test_a_member_that_joins_must_sign_before_the_network_is_live_again(app: Harness) -> None:
    await signed_on_paper(app)
    async with app.session() as session:
        from services.registry.networks.model import WHOLE, Membership
        from shared.facts import days, since

        session.add(
            Membership(
                network="U90001",
                practice="Z80020",
                portion=WHOLE,
                valid=days(date(2019, 7, 1), date(2019, 7, 31)),
                known=since(datetime(2019, 7, 1, tzinfo=UTC)),
            )
        )
        session.add(
            Membership(
                network="U90001",
                practice="Z80010",
                portion=WHOLE,
                valid=days(date(2022, 9, 1)),
                known=since(datetime(2022, 9, 1, tzinfo=UTC)),
            )
        )
    assert await live(app, "2022-08-31")
    assert not await live(app, "2022-09-01")
    agreement = await read(app, f"{HOME}/agreement?as_at=2022-09-01")
    assert (agreement["live"], agreement["complete"]) == (False, False)
    assert [p["practice"] for p in agreement["parties"] if p["signed_on"] is None] == ["Z80010"]
    answer = await sign(app, "Z80010", 1, lead(app), **on_paper("2022-09-20"))
    assert answer.status_code == 201, answer.text
    assert [await live(app, day) for day in ("2022-09-19", "2022-09-20")] == [False, True]
    assert len(await told(app, events.AgreementSigned)) == 1


async def test_who_signed_the_version_before_has_not_signed_this_one_and_neighbours_answer_for_themselves(
    app: Harness,
) -> None:
    await signed_on_paper(app)
    two = await sent(app, in_force_from="2022-10-01", named_partners={"Z80011": ["Dr Ash (invented)"]})
    for who in MEMBERS[1:]:
        await sign(app, who, two, lead(app), **on_paper("2022-09-15"))
    assert await live(app, "2022-10-01"), "the first version goes on while the second waits"
    await sign(app, "Z80011", two, lead(app), person="Dr Ash (invented)", **on_paper("2022-09-20"))
    assert (await read(app, f"{HOME}?as_at=2022-10-01"))["agreement"] == 2
    path = f"{HOME}/agreement/signatures?number=2&as_at=2022-10-01"
    (mistake,) = [s["id"] for s in (await read(app, path))["items"] if s["practice"] == "Z80012"]
    async with app.session() as session:
        from services.registry.periods import ALWAYS
        from services.registry.signatures.model import Signature
        from shared.facts import withdraw

        await withdraw(session, Signature, now=datetime.now(UTC), days=ALWAYS, id=mistake)
    assert not await live(app, "2022-10-01"), "Z80012 signed the first version and not the second"
    assert (await read(app, f"{HOME}/agreement?as_at=2022-10-01"))["complete"] is False
    listed = (await read(app, f"{V1}/networks?as_at=2022-10-01&live=false"))["items"]
    assert {n["code"] for n in listed} >= {"U90001", "U90002", "U90003"}
    taken = await app.put(f"{HOME}/agreement/signatures/{mistake}/withdrawal", {"reason": "Not given."}, lead(app))
    assert taken.status_code == 200
    again = await app.put(f"{HOME}/agreement/signatures/{mistake}/withdrawal", {"reason": "Not given."}, lead(app))
    assert said(again) == (409, "SignatureTakenBack")


async def test_a_late_paper_signature_puts_the_agreement_in_force_from_the_earlier_day(app: Harness) -> None:
    number = await sent(app)
    for who in MEMBERS[:2]:
        await sign(app, who, number, lead(app), **on_paper("2022-03-15"))
    assert (await sign(app, "Z80013", number, lead(app), **on_paper("2022-06-01"))).status_code == 201
    assert [await live(app, day) for day in ("2022-05-31", "2022-06-01")] == [False, True]
    (late,) = [s["id"] for s in (await read(app, f"{HOME}/agreement/signatures"))["items"] if s["practice"] == "Z80013"]
    path = f"{HOME}/agreement/signatures/{late}/withdrawal"
    assert (await app.put(path, {"reason": "The day was wrong."}, lead(app))).status_code == 200
    assert not await live(app, "2022-06-01")
    assert (await sign(app, "Z80013", number, lead(app), **on_paper("2022-03-20"))).status_code == 201
    assert [await live(app, day) for day in ("2022-03-31", "2022-04-01")] == [False, True]
    force = await app.put(f"{HOME}/agreement/versions/{number}/force", None, network(app))
    assert force.status_code == 200
    assert [e.in_force_from for e in await told(app, events.AgreementSigned)] == [date(2022, 6, 1), date(2022, 4, 1)]


async def test_an_agreement_ends_when_no_other_takes_its_place(app: Harness) -> None:
    await signed_on_paper(app)
    ending = {"last_day": "2022-12-31", "reason": "The network dissolves."}
    path = f"{HOME}/agreement/versions/1"
    tag = (await app.client.get(path, headers=network(app))).headers["etag"]
    early = await app.put(f"{path}/ending", {**ending, "last_day": "2022-03-31"}, network(app), match=tag)
    assert said(early) == (409, "AgreementNotInForce")
    assert said(await app.put(f"{path}/abandonment", {"reason": "No."}, network(app))) == (409, "AgreementInUse")
    assert (await app.put(f"{path}/ending", ending, network(app))).status_code == 200
    assert [await live(app, day) for day in ("2022-12-31", "2023-01-01")] == [True, False]
    (event,) = await told(app, events.AgreementEnded)
    assert (event.last_day, event.reason) == (date(2022, 12, 31), "The network dissolves.")
    versions = (await read(app, f"{HOME}/agreement/versions?as_at=2023-01-01"))["items"]
    assert [v["stage"] for v in versions] == ["ended"]


async def test_an_abandoned_version_is_not_signed(app: Harness) -> None:
    number = await sent(app)
    path = f"{HOME}/agreement/versions/{number}"
    given_up = await app.put(f"{path}/abandonment", {"reason": "The members disagree."}, network(app))
    assert (given_up.status_code, given_up.json()["stage"]) == (200, "abandoned")
    assert said(await sign(app, "Z80011")) == (409, "AgreementGivenUp")
    assert said(await app.put(f"{path}/force", None, network(app))) == (409, "AgreementGivenUp")
    assert said(await app.put(f"{path}/abandonment", {"reason": "Again."}, network(app))) == (409, "AgreementGivenUp")


async def test_a_version_comes_into_force_when_the_one_who_never_signed_has_left(app: Harness) -> None:
    number = await sent(app)
    for who in MEMBERS[:2]:
        await sign(app, who, number, lead(app), **on_paper("2022-03-15"))
    path = f"{HOME}/agreement/versions/{number}"
    held = await app.put(f"{path}/force", None, network(app))
    assert (said(held), [e["field"] for e in held.json()["errors"]]) == ((409, "SignaturesMissing"), ["Z80013"])
    async with app.session() as session:
        from services.registry.networks.model import Membership
        from shared.facts import days, withdraw

        at = datetime(2022, 6, 1, tzinfo=UTC)
        await withdraw(session, Membership, now=at, days=days(date(2022, 7, 1)), practice="Z80013")
    assert (await app.put(f"{path}/force", None, network(app))).status_code == 200
    assert [await live(app, day) for day in ("2022-06-30", "2022-07-01")] == [False, True]


async def test_the_agreement_is_private_to_the_network_its_parties_and_its_area(app: Harness) -> None:
    await signed_on_paper(app)
    for headers in (practice(app, "Z80011"), network(app), lead(app), app.token(Role.SYSTEM, organisations=["QZ2"])):
        assert (await read(app, f"{HOME}/agreement?as_at=2022-04-01", headers))["number"] == 1
    await app.put(f"{HOME}/payee", {"payee": "FED1", "valid_from": "2022-04-01"}, network(app))
    payee = app.token(Role.PAYEE, organisations=["FED1"])
    assert (await read(app, f"{HOME}/agreement", payee))["number"] == 1
    for headers in (
        practice(app, "Z80014"),
        practice(app, "Z80021"),
        network(app, "U90002"),
        commissioner(app, "SA1"),
        app.token(Role.PAYEE, organisations=["FED2"]),
    ):
        for path in ("", "/versions", "/versions/1", "/signatures"):
            assert await refused(app, f"{HOME}/agreement{path}", headers) == (404, "AgreementNotFound")
    assert said(await app.post(f"{HOME}/agreement/versions", version(), network(app, "U90002"))) == (
        403,
        "NotYoursToActFor",
    )
    trail = await read(app, f"{V1}/audit", practice(app, "Z80011"))
    assert any(entry["record"].startswith("agreement_signatures/") for entry in trail["items"])


async def test_asking_twice_with_one_key_drafts_one_version(app: Harness) -> None:
    headers = {**network(app), "Idempotency-Key": "draft-of-april-2022"}
    first = await app.post(f"{HOME}/agreement/versions", version(), headers)
    again = await app.post(f"{HOME}/agreement/versions", version(), headers)
    assert first.json() == again.json()
    assert len((await read(app, f"{HOME}/agreement/versions"))["items"]) == 1
    assert national(app)
