"""A small invented England, as the events that tell of it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, Literal

from shared.events import Event, funding, registry, workforce
from shared.http import _today
from shared.identity import Role
from tests.harness import Harness

PREFIX = "/reporting/v1"
SNAPSHOT = date(2022, 1, 1)


def at(app: Harness, day: date) -> None:
    async def today() -> date:
        return day

    app.app.dependency_overrides[_today] = today


def commissioner(code: str, system: str, **more: Any) -> registry.CommissionerRegistered:
    values: dict[str, Any] = {
        "commissioner": code,
        "commissioner_name": f"Commissioner {code}",
        "system": system,
        "system_name": f"System {system}",
        "region": "Y1",
        "region_name": "Region Y1",
        "valid_from": date(2019, 4, 1),
    }
    return registry.CommissionerRegistered(**(values | more))


Spells = list[tuple[str, date, date | None]]


def practices(
    area: str,
    *codes: str,
    closed: date | None = None,
    commissioned: Spells | None = None,
    went_over: list[registry.WentOver] | None = None,
    dispersed: list[registry.Dispersed] | None = None,
) -> registry.PracticesPublished:
    return registry.PracticesPublished(
        commissioner=area,
        as_at=date(2022, 1, 1),
        practices=[
            registry.PracticeFact(
                practice=c,
                practice_name=f"Practice {c}",
                commissioner=area,
                closed_on=closed,
                status="closed" if closed else "active",
                commissioned=[
                    registry.Commissioned(commissioner=by, valid_from=first, valid_to=last)
                    for by, first, last in commissioned or []
                ],
                went_over=went_over,
                dispersed=dispersed,
            )
            for c in codes
        ],
    )


def lists(area: str, sizes: dict[str, int], snapshot: date = SNAPSHOT, **more: Any) -> registry.ListSizesPublished:
    values: dict[str, Any] = {
        "commissioner": area,
        "basis": "registered",
        "snapshot": snapshot,
        "known_from": snapshot,
        "source": "test",
        "sizes": [registry.ListSize(practice=p, value=Decimal(n)) for p, n in sizes.items()],
    }
    return registry.ListSizesPublished(**(values | more))


def network(code: str, area: str, members: dict[str, str], **more: Any) -> registry.NetworkApproved:
    """A network whose members have the given shares from 1 July 2019 on."""
    values: dict[str, Any] = {
        "network": code,
        "network_name": f"Network {code}",
        "commissioner": area,
        "contract_year": "2022-23",
        "approved_on": date(2019, 6, 28),
        "valid_from": date(2019, 7, 1),
        "members": [
            registry.Member(practice=p, valid_from=date(2019, 7, 1), share=Decimal(s)) for p, s in members.items()
        ],
        "decided_by": "register",
    }
    return registry.NetworkApproved(**(values | more))


def payment(
    code: str, area: str, lines: list[tuple[str | None, str, str, str]], *, run: str = "run-1", month: str = "2022-04"
) -> funding.PaymentIssued:
    return funding.PaymentIssued(
        run=run,
        month=month,
        contract_year="2022-23",
        network=code,
        commissioner=area,
        issued_on=date(2022, 4, 28),
        lines=[
            funding.PaidLine(
                line=f"{run}-{code}-{n}",
                payee=practice or code,
                practice=practice,
                stream=stream,
                month=paid_for,
                amount=Decimal(amount),
                cause="due",
            )
            for n, (practice, stream, paid_for, amount) in enumerate(lines)
        ],
    )


def recruited(post: str, code: str, role: str, wte: str = "1", started: date = date(2022, 4, 1)) -> Event:
    return workforce.RoleRecruited(
        post=post,
        vacancy=f"vac-{post}",
        network=code,
        role=role,
        wte=Decimal(wte),
        employer="A80001",
        started_on=started,
        additional=True,
        days_to_hire=40,
    )


def claim_made(claim: str, code: str, month: str = "2022-04", salary: str = "3000.00") -> workforce.ClaimMade:
    return workforce.ClaimMade(
        claim=claim,
        network=code,
        post="post-1",
        role="clinical_pharmacist",
        wte=Decimal(1),
        month=month,
        worked_from=date(2022, 4, 1),
        worked_to=date(2022, 4, 30),
        salary=Decimal(salary),
        employer_ni=Decimal("300.00"),
        employer_pension=Decimal("431.40"),
        additional=True,
        made_on=date(2022, 5, 3),
    )


def england() -> list[Event]:
    """Two areas in two systems: one whole, one with a split practice, an allocated one and one left out."""
    return [
        commissioner("AA1", "QA1"),
        commissioner("BB2", "QB2"),
        practices("AA1", "A80001", "A80002", "A80003"),
        practices("BB2", "B80001", "B80002", "B80003", "B80004"),
        lists("AA1", {"A80001": 10_000, "A80002": 12_000, "A80003": 9_000}),
        lists("BB2", {"B80001": 20_000, "B80002": 7_000, "B80003": 3_000, "B80004": 5_001}),
        registry.RoundOpened(
            round="round-1",
            commissioner="AA1",
            contract_year="2022-23",
            apply_by=date(2022, 5, 15),
            decide_by=date(2022, 5, 31),
        ),
        registry.NetworkApplied(
            application="app-1",
            round="round-1",
            commissioner="AA1",
            contract_year="2022-23",
            network_name="Network U1",
            practices=["A80001", "A80002", "A80003"],
            registered_patients=31_000,
            submitted_on=date(2022, 5, 17),
            late=True,
        ),
        registry.NetworkReturned(
            application="app-1",
            round="round-1",
            commissioner="AA1",
            contract_year="2022-23",
            returned_on=date(2022, 5, 18),
            reason="one signature missing",
        ),
        network(
            "U00001",
            "AA1",
            {"A80001": "1", "A80002": "1", "A80003": "1"},
            decided_by="round",
            round="round-1",
            application="app-1",
        ),
        network("U00002", "BB2", {"B80001": "1", "B80004": "0.5"}),
        registry.PatientsAllocated(
            network="U00002", commissioner="BB2", practice="B80002", valid_from=date(2021, 7, 1)
        ),
        registry.PracticeJoined(network="U00002", commissioner="BB2", practice="B80003", valid_from=date(2022, 6, 1)),
        registry.RoundDecided(
            round="round-1",
            commissioner="AA1",
            contract_year="2022-23",
            decided_on=date(2022, 6, 2),
            approved=1,
            refused=0,
        ),
        funding.BudgetSet(network="U00001", commissioner="AA1", contract_year="2022-23", amount=Decimal("500000.00")),
        funding.BudgetSet(
            network="U00002", commissioner="BB2", contract_year="2022-23", amount=None, held_reason="no weighted list"
        ),
        payment(
            "U00001",
            "AA1",
            [
                (None, "core_registered", "2022-04", "3875.00"),
                ("A80001", "network_participation", "2022-04", "1466.67"),
                ("A80002", "network_participation", "2022-04", "1760.00"),
            ],
        ),
        payment("U00002", "BB2", [(None, "core_registered", "2022-04", "2812.56")]),
        payment(
            "U00001",
            "AA1",
            [(None, "core_registered", "2022-05", "3875.00"), (None, "core_registered", "2022-04", "-0.01")],
            run="run-2",
            month="2022-05",
        ),
        workforce.PlanSubmitted(
            plan="plan-1",
            network="U00001",
            contract_year="2022-23",
            submitted_on=date(2022, 4, 2),
            roles=[
                workforce.PlannedRole(role="clinical_pharmacist", wte=Decimal("2"), start_month="2022-04"),
                workforce.PlannedRole(role="paramedic", wte=Decimal("1"), start_month="2022-10"),
            ],
            planned_cost=Decimal("120000.00"),
        ),
        recruited("post-1", "U00001", "clinical_pharmacist", "0.8"),
        recruited("post-2", "U00002", "paramedic", "1", date(2022, 5, 1)),
        claim_made("claim-1", "U00001"),
        funding.ClaimApproved(
            claim="claim-1",
            network="U00001",
            post="post-1",
            month="2022-04",
            claimed=Decimal("3731.40"),
            payable=Decimal("3731.40"),
        ),
        funding.ClaimPaid(
            claim="claim-1", network="U00001", post="post-1", month="2022-04", run="run-2", amount=Decimal("3731.40")
        ),
    ]


PRACTICE_CLAIM: dict[str, Any] = {"claim": "pcl-1", "practice": "B80001", "month": "2022-05"}


def practice_claim_made(**changed: Any) -> Event:
    return funding.PracticeClaimMade(**{**PRACTICE_CLAIM, "made_on": date(2022, 6, 1), **changed})


def achievements_paid() -> Event:
    """A run pays 8,712.00 of what was achieved, and an answered query 10.00 more."""
    lines = [
        funding.PaidLine(
            line=f"run-8-{number}", payee="U00001", stream="iif", month="2023-03", amount=Decimal(amount), cause=cause
        )
        for number, (amount, cause) in enumerate((("8712.00", "due"), ("10.00", "query")))
    ]
    return funding.PaymentIssued(
        run="run-8", month="2023-05", contract_year="2023-24", network="U00001", commissioner="AA1",
        issued_on=date(2023, 5, 31), lines=lines,
    )  # fmt: skip


def claims_and_queries() -> list[Event]:
    """Claims sent back, turned down and made again, arrears, a practice's claims, an achievement, and queries."""
    of_claim: dict[str, Any] = {"network": "U00001", "post": "post-1", "month": "2022-05"}
    of_query: dict[str, Any] = {"line": "run-1-U00001-0", "network": "U00001", "payee": "U00001"}
    of_arrears: dict[str, Any] = {"arrears": "arr-1", "network": "U00002", "contract_year": "2022-23"}
    items = [
        workforce.ArrearsItem(
            claim="claim-9",
            post="post-2",
            month="2022-05",
            salary=Decimal("100.00"),
            employer_ni=Decimal("10.00"),
            employer_pension=Decimal("14.38"),
        )
    ]
    asked = {"run": "run-1", "stream": "core_registered", "month": "2022-04", "raised_on": date(2022, 5, 3)}
    achieved: dict[str, Any] = {"achievement": "ach-1", "network": "U00001", "contract_year": "2022-23"}
    achieved |= {"indicator": "VI-02", "approved_on": date(2023, 5, 2)}
    return [
        claim_made("claim-2", "U00001", "2022-05"),
        funding.ClaimReturned(claim="claim-2", **of_claim, code="cost_wrong", reason="Too much."),
        claim_made("claim-2-2", "U00001", "2022-05", "2900.00"),
        claim_made("claim-3", "U00001", "2022-05", "9.99"),
        funding.ClaimApproved(
            claim="claim-2-2", **of_claim, claimed=Decimal("3631.40"), payable=Decimal("3600.00"), limited_by="share"
        ),
        funding.ClaimRejected(claim="claim-3", **of_claim, code="not_additional", reason="It is not new."),
        workforce.ArrearsClaimed(**of_arrears, items=items, made_on=date(2022, 9, 1)),
        funding.ArrearsApproved(**of_arrears, claimed=Decimal("124.38"), payable=Decimal("120.00")),
        funding.ArrearsPaid(**of_arrears, run="run-7", amount=Decimal("120.00")),
        practice_claim_made(claimed=Decimal("1800.00")),
        funding.PracticeClaimReturned(**PRACTICE_CLAIM, code="no_contract", reason="Send the contract."),
        practice_claim_made(claimed=Decimal("1700.00")),
        funding.PracticeClaimApproved(**PRACTICE_CLAIM, claimed=Decimal("1700.00"), payable=Decimal("1415.74")),
        practice_claim_made(claim="pcl-3", claimed=Decimal("900.00")),
        practice_claim_made(claim="pcl-4", claimed=Decimal("800.00")),
        funding.PracticeClaimRejected(
            **PRACTICE_CLAIM | {"claim": "pcl-4"}, code="not_reimbursed", reason="A partner."
        ),
        funding.PracticeClaimApproved(
            **PRACTICE_CLAIM | {"claim": "pcl-2", "month": "2022-06"},
            claimed=Decimal("1700.00"),
            payable=Decimal("1415.74"),
        ),
        funding.PracticeClaimWithdrawn(
            **PRACTICE_CLAIM | {"claim": "pcl-2", "month": "2022-06"}, withdrawn_on=date(2022, 6, 1)
        ),
        funding.PracticeClaimPaid(**PRACTICE_CLAIM, run="run-7", amount=Decimal("1415.74")),
        funding.AchievementApproved(**achieved, points=Decimal("44"), amount=Decimal("8712.00"), cause="due"),
        funding.AchievementApproved(**achieved, points=Decimal("88"), amount=Decimal("8712.00"), cause="override"),
        funding.LineQueried(query="qry-1", **of_query, **asked, answer_by=date(2022, 5, 17)),
        funding.LineQueried(query="qry-2", **of_query, **asked, answer_by=date(2022, 5, 17)),
        funding.LineQueried(query="qry-3", **of_query, **asked, answer_by=date(2022, 7, 18)),
        funding.QueryAnswered(
            query="qry-1",
            **of_query,
            kind="adjustment",
            adjustment=Decimal("-12.34"),
            answered_on=date(2022, 5, 20),
            answer_by=date(2022, 5, 17),
        ),
        funding.QueryWithdrawn(query="qry-3", **of_query, withdrawn_on=date(2022, 5, 4)),
    ]


TAKEN_OVER_ON = date(2022, 7, 1)
JUNE_30 = date(2022, 6, 30)


def succeeded(area: str, *heirs: str, kind: Literal["merger", "split", "enlargement"] = "merger") -> Event:
    return registry.CommissionerSucceeded(
        commissioner=area,
        kind=kind,
        succeeded_on=TAKEN_OVER_ON,
        successors=[registry.Heir(commissioner=heir, commissioner_name=f"Commissioner {heir}") for heir in heirs],
    )


def led(*spells: tuple[str, date, date | None], code: str = "U00001") -> list[registry.Entry]:
    return [
        registry.Entry(network_name=f"Network {code}", commissioner=by, valid_from=first, valid_to=last)
        for by, first, last in spells
    ]


def taken_over() -> list[Event]:
    """On 1 July 2022 CC3 takes over AA1; DD4 and EE5 divide BB2; and A80003 goes over into A80001."""
    opened = date(2013, 4, 1)

    def went(area: str, heir: str) -> Spells:
        return [(area, opened, JUNE_30), (heir, TAKEN_OVER_ON, None)]

    def entries(area: str, heir: str) -> list[registry.Entry]:
        return led((area, date(2019, 7, 1), JUNE_30), (heir, TAKEN_OVER_ON, None))

    whole = {
        "members": [
            registry.Member(practice=code, valid_from=date(2019, 7, 1), valid_to=last)
            for code, last in (("A80001", None), ("A80002", None), ("A80003", JUNE_30))
        ]
    }
    return [
        *(commissioner(heir, system, valid_from=TAKEN_OVER_ON) for heir, system in NEW_AREAS.items()),
        succeeded("AA1", "CC3"),
        succeeded("BB2", "DD4", "EE5", kind="split"),
        practices("CC3", "A80001", "A80002", commissioned=went("AA1", "CC3")),
        practices("CC3", "A80003", closed=JUNE_30, commissioned=[("AA1", opened, JUNE_30)]),
        practices("DD4", "B80001", "B80002", commissioned=went("BB2", "DD4")),
        practices("EE5", "B80003", "B80004", commissioned=went("BB2", "EE5")),
        registry.PracticeSucceeded(
            practice="A80003", successor="A80001", commissioner="CC3", succeeded_on=TAKEN_OVER_ON
        ),
        network(
            "U00001",
            "CC3",
            {},
            decided_by="round",
            round="round-1",
            application="app-1",
            entries=entries("AA1", "CC3"),
        ).model_copy(update=whole),
        network("U00002", "DD4", {"B80001": "1", "B80004": "0.5"}, entries=entries("BB2", "DD4")),
    ]


NEW_AREAS = {"CC3": "QA1", "DD4": "QB2", "EE5": "QA1"}


async def report(app: Harness, path: str, *roles: Role, organisations: tuple[str, ...] = (), **params: str) -> Any:
    headers = app.token(*(roles or (Role.NATIONAL,)), organisations=organisations)
    answer = await app.client.get(f"{PREFIX}/{path}", params=params, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def by_key(answer: Any) -> dict[str, Any]:
    return {item["key"]: item for item in answer["items"]}


def varied(code: str, variation: str, every_member: bool, *members: str) -> funding.NetworkVaried:
    """A network under a variation for the whole of 2022/23."""
    span = funding.VariedSpan(
        variation=variation,
        valid_from=date(2022, 4, 1),
        valid_to=date(2023, 3, 31),
        practices=list(members),
        every_member=every_member,
    )
    return funding.NetworkVaried(network=code, commissioner="AA1", spans=[span])


def a_variation(variation: str = "variation-1", area: str = "AA1") -> funding.VariationApproved:
    return funding.VariationApproved(
        variation=variation,
        variation_name="Care for frail people",
        commissioner=area,
        contract_year="2022-23",
        valid_from=date(2022, 4, 1),
        valid_to=date(2023, 3, 31),
        practices=["A80001"],
        duties=[funding.VariedDuty(duty="frailty_rounds", duty_name="Rounds", description="Weekly.")],
        approved_on=date(2022, 3, 1),
    )


def variations() -> list[Event]:
    """A network of each area under a variation, one wholly and one in part."""
    return [
        a_variation(),
        varied("U00001", "variation-1", True, "A80001"),
        varied("U00002", "variation-2", False, "B80001"),
    ]
