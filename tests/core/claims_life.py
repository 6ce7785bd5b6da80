"""Claims of every kind, for the worlds in which every door is tried: made here, and what may be sent."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from shared.events.workforce import ArrearsClaimed, ArrearsItem
from shared.identity import Role
from tests.funding import builders as funding
from tests.harness import Harness
from tests.workforce import builders as workforce

V1 = "/funding/v1"
WHY = {"code": "no_evidence", "reason": "The payroll is missing."}
ASKED = {
    f"{V1}/forecasts": {"contract_year": "2022-23"},
    f"{V1}/forecasts.csv": {"contract_year": "2022-23"},
    f"{V1}/forecasts/{{network}}": {"contract_year": "2022-23"},
    f"{V1}/forecasts/pools": {"contract_year": "2022-23", "by": "commissioner"},
    f"{V1}/practice-ceilings": {"contract_year": "2022-23"},
}
PUBLIC = frozenset({f"{V1}/claim-deadlines", f"{V1}/forecasts.csv"})
"""Deadlines are the same for everybody; the file has the rows of the list, as its own test shows."""


def _a_month() -> dict[str, Any]:
    return {
        "kind": "new_salaried_gp",
        "month": "2026-10",
        "person": "psn-gp-000001",
        "zone": "national",
        "engagement": "salaried",
        "worked_from": "2026-10-01",
        "worked_to": "2026-10-31",
        "sessions": "1",
        "sessions_before": "0",
        "contracted_sessions": "9",
        "hours": "0",
        "started_on": "2026-05-01",
        "employed_here_until": "2024-05-01",
        "only_as_cover": False,
        "funded_before": "test_site",
        "salary": "1200.00",
        "employer_ni": "200.00",
        "employer_pension": "300.00",
        "evidence": ["contract-1"],
    }


AGREED = {
    "network": funding.NETWORK,
    "short": "manager",
    "name": "Network manager",
    "ceiling": "60000.00",
    "valid_from": "2026-05-01",
    "valid_to": "2027-03-31",
    "agreed_on": "2026-04-20",
    "note": "Minutes.",
}


async def things(app: Harness) -> dict[str, str]:
    """Arrears, a practice's claim, an agreement and money offered to another network."""
    item = ArrearsItem(
        claim="claim-1",
        post="post-1",
        month="2022-04",
        salary=Decimal("10.00"),
        employer_ni=Decimal("0.00"),
        employer_pension=Decimal("0.00"),
    )
    await app.deliver(
        ArrearsClaimed(
            arrears="arr-1", network=funding.NETWORK, contract_year="2022-23", items=[item], made_on=date(2022, 9, 1)
        )
    )
    practice = app.token(Role.PRACTICE, organisations=["A00001"])
    claim = await app.post(f"{V1}/practice-claims", {**_a_month(), "practice": "A00001"}, practice)
    assert claim.status_code == 201, claim.text
    commissioner = app.token(Role.COMMISSIONER, organisations=[funding.COMMISSIONER])
    agreed = await app.post(f"{V1}/agreed-roles", AGREED, commissioner)
    assert agreed.status_code == 201, agreed.text
    async with app.session() as session:
        await session.execute(text("UPDATE practice_claims SET status = 'submitted', submitted_on = '2026-11-02'"))
        await session.execute(
            text(
                "INSERT INTO redistributions (id, contract_year, giver, receiver, amount, status, offered_on, "
                "offered_by, created_at, version) VALUES ('red-1', '2022-23', :giver, 'U77777', 1, 'offered', "
                "'2022-09-01', 'nora', now(), 1)"
            ),
            {"giver": funding.NETWORK},
        )
    return {
        f"{V1}/arrears-claims/{{arrears_id}}": f"{V1}/arrears-claims/arr-1",
        f"{V1}/practice-claims/{{claim_id}}": f"{V1}/practice-claims/{claim.json()['id']}",
        f"{V1}/redistributions/{{redistribution_id}}": f"{V1}/redistributions/red-1",
        f"{V1}/forecasts/{{network}}": f"{V1}/forecasts/{funding.NETWORK}",
    }


def bodies() -> dict[str, Any]:
    """What may be sent to these doors of funding."""
    return {
        f"POST {V1}/claim-decisions": {
            "decisions": [{"claim": "claim-1", "version": 1, "decision": "rejected", **WHY}]
        },
        f"PUT {V1}/claims/{{claim_id}}/return": WHY,
        f"POST {V1}/claim-deadlines": {
            "contract_year": "2022-23",
            "days_after_month": 90,
            "closes_on": "2023-04-30",
            "note": "As agreed.",
        },
        f"POST {V1}/agreed-roles": AGREED,
        f"PUT {V1}/arrears-claims/{{arrears_id}}/rejection": WHY,
        f"POST {V1}/practice-claims": {**_a_month(), "practice": "A00001", "continues": None},
        f"PUT {V1}/practice-claims/{{claim_id}}": _a_month(),
        f"PUT {V1}/practice-claims/{{claim_id}}/return": WHY,
        f"PUT {V1}/practice-claims/{{claim_id}}/rejection": WHY,
        f"POST {V1}/redistributions": {
            "contract_year": "2022-23",
            "giver": funding.NETWORK,
            "receiver": "U54321",
            "amount": "10.00",
        },
        f"PUT {V1}/redistributions/{{redistribution_id}}/refusal": {"reason": "We need it."},
    }


def _arrears(claim: str) -> dict[str, Any]:
    paid = {"claim": claim, "salary": "10.00", "employer_ni": "1.00", "employer_pension": "1.00"}
    return {"network": workforce.NETWORK, "contract_year": "2022-23", "items": [paid]}


async def arrears_at(app: Harness, claim: str) -> dict[str, str]:
    """Arrears claimed in workforce."""
    made = await app.post(f"{workforce.PREFIX}/arrears-claims", _arrears(claim), workforce.network_token(app))
    assert made.status_code == 201, made.text
    here = f"{workforce.PREFIX}/arrears-claims"
    return {f"{here}/{{arrears_id}}": f"{here}/{made.json()['id']}"}


def bodies_of_workforce(claim: str) -> dict[str, Any]:
    """What may be sent to these doors of workforce."""
    return {
        f"POST {workforce.PREFIX}/arrears-claims": _arrears(claim),
        f"PUT {workforce.PREFIX}/posts/{{post_id}}/standing": {
            "person": "psn-7c1e90aa41",
            "qualified_on": "2021-02-01",
            "employed_before": False,
            "employed_here_until": "2020-02-01",
            "more_senior": False,
        },
    }
