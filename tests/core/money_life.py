"""Local variations, beds, achievements and checks of payments, here and next door, and well-formed requests."""

from __future__ import annotations

from typing import Any

import httpx
from sqlalchemy import text

from shared.identity import Role
from tests.funding import builders as funding
from tests.funding.checked import CHECKS
from tests.funding.test_achievements import declared
from tests.funding.test_achievements import network as of_network
from tests.funding.test_variations import VARIATIONS, a_variation, consent
from tests.harness import Harness

V1 = "/funding/v1"
OTHER = "U54321"
ELSEWHERE = "00N"
PUBLIC = frozenset(
    f"{V1}/{path}"
    for path in (
        *("membership-rules", "indicators", "achievement-overrides", "achievement-overrides/{override_id}", "duties"),
        *("relabellings", "relabellings/{relabelling_id}", "agreement-rules", "budget-rules"),
    )
)
"""Rules and decisions for all of England."""
ASKED = {f"{V1}/achievements/standing": {"network": funding.NETWORK, "contract_year": "2021-22"}}
RELABELLED = {
    "from_stream": "extended_hours",
    "to_stream": "surge_support",
    "share": "0.5",
    "first_month": "2022-04",
    "last_month": "2022-09",
    "known_from": "2022-06-01",
    "sources": ["a circular"],
    "note": "Half of it.",
}
RATIO = {"numerator": 7203, "denominator": 9900, "adjustments": 100}


# a payee that owes takes half a year of runs; its decision is one like any other
_OWED = text("""
INSERT INTO debt_decisions (id, instruction, payee, month, amount, outcome, settled_on, reason, status, proposed_by,
                            proposed_at, version)
SELECT 'debt-1', id, payee, month, 15.00, 'written-off', '2026-11-02', 'It closed.', 'proposed', 'nora', now(), 1
FROM payment_instructions WHERE payee = 'A00001' LIMIT 1
""")

# and a payment that came back, a payee that is gone and another in its place
_GONE = text("""
INSERT INTO redirections (id, instruction, month, network, payee, redirected_to, amount, reason, status, proposed_by,
                          proposed_at, version)
SELECT 'rdr-1', id, month, :network, payee, 'X9999', 15.00, 'Its account is closed.', 'proposed', 'nora', now(), 1
FROM payment_instructions WHERE payee = 'A00001' LIMIT 1
""")


def a_file(network: str = funding.NETWORK, practice: str = "A00001", amount: str = "1056.60") -> dict[str, Any]:
    """What a payee was paid, as it sends it."""
    rows = f"network,practice,stream,amount\n{network},{practice},network_participation,{amount}\n"
    return {
        "files": {"file": ("payments.csv", rows.encode())},
        "data": {"contract_year": "2022-23", "through": "2022-06"},
    }


def _made(answer: httpx.Response) -> str:
    assert answer.status_code == 201, answer.text
    return str(answer.json().get("id"))


async def things(app: Harness) -> dict[str, str]:
    """A thing of every kind on both sides; the paths of those on this one."""
    found = {}
    for commissioner, network, practice in (
        (funding.COMMISSIONER, funding.NETWORK, "A00001"),
        (ELSEWHERE, OTHER, "B00001"),
    ):
        carol = app.token(Role.COMMISSIONER, organisations=[commissioner], subject=f"carol-{commissioner}")
        nina = of_network(app, network, f"nina-{network}")
        asked = a_variation(commissioner=commissioner, practices=[practice])
        variation = _made(await app.post(VARIATIONS, asked, carol))
        _made(await consent(app, {"id": variation}, practice))
        beds = {"month": "2022-04", "counts": [{"network": network, "beds": 100}]}
        _made(await app.post(f"{V1}/beds", beds, carol))
        achieved = await declared(app, "VI-02", "2021-22", nina, network=network, **RATIO)
        over = await declared(app, "HI-01", "2021-22", nina, network=network, **RATIO)
        accepted = await app.put(f"{V1}/achievements/{over['id']}/approval", {}, carol)
        assert accepted.status_code == 200, accepted.text
        wrong = {**RATIO, "reason": "One extract was left out."}
        correction = _made(await app.post(f"{V1}/achievements/{over['id']}/corrections", wrong, nina))
        check = _made(await app.post(CHECKS, None, nina, **a_file(network, practice)))
        found[network] = {
            f"{V1}/variations/{{variation_id}}": f"{VARIATIONS}/{variation}",
            f"{V1}/variations/{{variation_id}}/consents/{{practice}}": f"{VARIATIONS}/{variation}/consents/{practice}",
            f"{V1}/beds/{{network}}/{{month}}": f"{V1}/beds/{network}/2022-04",
            f"{V1}/achievements/{{achievement_id}}": f"{V1}/achievements/{achieved['id']}",
            f"{V1}/achievement-corrections/{{correction_id}}": f"{V1}/achievement-corrections/{correction}",
            f"{V1}/checks/{{check_id}}": f"{CHECKS}/{check}",
        }
    async with app.session() as session:
        await session.execute(_OWED)
        await session.execute(_GONE, {"network": funding.NETWORK})
    override = {"contract_year": "2021-22", "indicator": "VI-03", "reason": "The extracts were wrong everywhere."}
    proposed = _made(await app.post(f"{V1}/achievement-overrides", override, app.token(Role.NATIONAL)))
    overrides = f"{V1}/achievement-overrides"
    half = {**RELABELLED, "share": "0.25", "to_stream": "visits"}
    relabelled = _made(await app.post(f"{V1}/relabellings", half, app.token(Role.NATIONAL)))
    by_two = {
        f"{V1}/debt-decisions/{{decision_id}}": f"{V1}/debt-decisions/debt-1",
        f"{V1}/payment-redirections/{{redirection_id}}": f"{V1}/payment-redirections/rdr-1",
    }
    return {
        **found[funding.NETWORK],
        **by_two,
        f"{overrides}/{{override_id}}": f"{overrides}/{proposed}",
        f"{V1}/relabellings/{{relabelling_id}}": f"{V1}/relabellings/{relabelled}",
    }


def bodies() -> dict[str, Any]:
    """What may be sent to these doors."""
    return {
        f"POST {V1}/membership-rules": {
            "kind": "days",
            "first_month": "2022-04",
            "last_month": "2023-03",
            "confidence": "one_source",
            "sources": ["a circular"],
            "note": "As settled with the LMC.",
        },
        f"POST {V1}/agreement-rules": {
            "needed": True,
            "first_month": "2022-04",
            "last_month": "2023-03",
            "sources": ["a circular"],
            "note": "As the contract has it.",
        },
        f"POST {V1}/budget-rules": {
            "kind": "year",
            "first_year": "2022-23",
            "last_year": "2022-23",
            "sources": ["a circular"],
            "note": "As it was read before.",
        },
        f"POST {V1}/variations": a_variation(
            {
                "stream": "frailty_care",
                "payee": "network",
                "basis": "registered",
                "value": "2.4",
                "rate_period": "year",
            },
            sums=[{"code": "all_roles", "value": "18.0", "rate_period": "year"}],
            ceilings=[{"role": "care_coordinator", "zone": "national", "value": "40000.00"}],
            caps=[{"role": "advanced_practitioner", "below_100000": "3", "from_100000": "5"}],
            roles=[{"short": "frailty_nurse", "name": "Frailty nurse", "value": "60000.00"}],
            duties=[
                {
                    "duty": "enhanced_access",
                    "name": "Enhanced access",
                    "description": "Evenings included.",
                    "instead_of": None,
                    "minutes": {"basis": "adjusted", "per_1000": "75", "rounded_to": 15},
                }
            ],
        ),
        f"POST {V1}/relabellings": dict(RELABELLED),
        f"PUT {V1}/variations/{{variation_id}}/refusal": {"reason": "It is too dear."},
        f"POST {V1}/variations/{{variation_id}}/consents": {
            "practice": "A00001",
            "valid_from": "2022-11-01",
            "signed_by": "Dr Okafor (invented)",
        },
        f"PUT {V1}/variations/{{variation_id}}/consents/{{practice}}/withdrawal": {"withdrawn_from": "2023-02-01"},
        f"POST {V1}/beds": {
            "month": "2022-05",
            "counts": [{"network": funding.NETWORK, "beds": 90}],
            "note": "From the register of homes.",
        },
        f"PUT {V1}/beds/{{network}}/{{month}}": {"beds": 88, "note": "Twelve belong next door."},
        f"POST {V1}/achievements": {
            "network": funding.NETWORK,
            "contract_year": "2021-22",
            "indicator": "VI-01",
            **RATIO,
        },
        f"PUT {V1}/achievements/{{achievement_id}}/declaration": dict(RATIO),
        f"PUT {V1}/achievements/{{achievement_id}}/approval": {"accepted_on": "2022-06-01", "earned": "0.5"},
        f"PUT {V1}/achievements/{{achievement_id}}/return": {"reason": "The denominator is last year's."},
        f"POST {V1}/achievements/{{achievement_id}}/corrections": {**RATIO, "reason": "One extract was left out."},
        f"PUT {V1}/achievement-corrections/{{correction_id}}/refusal": {"reason": "The extract was whole."},
        f"POST {V1}/debt-decisions": {
            "instruction": "run-1-i000001",
            "outcome": "recovered",
            "settled_on": "2026-11-02",
            "reference": "Cheque 000123",
            "reason": "The surgery paid it back.",
        },
        f"PUT {V1}/debt-decisions/{{decision_id}}/refusal": {"reason": "It can be had back."},
        f"POST {V1}/payment-redirections": {
            "instruction": "run-1-i000001",
            "network": funding.NETWORK,
            "practice": "A00001",
            "redirected_to": "A00003",
            "reason": "It went over into another practice.",
        },
        f"PUT {V1}/payment-redirections/{{redirection_id}}/refusal": {"reason": "The account is open again."},
        f"PUT {V1}/payment-redirections/{{redirection_id}}/withdrawal": {"reason": "We had mistaken the payee."},
        f"POST {V1}/achievement-overrides": {
            "contract_year": "2021-22",
            "indicator": "VI-01",
            "reason": "The extracts were wrong everywhere.",
        },
        f"POST {V1}/indicators": {
            "contract_year": "2021-22",
            "code": "QI-99",
            "title": "Falls assessed",
            "kind": "ratio",
            "points": "10",
            "point_value": "200.00",
            "lower": "0.5",
            "upper": "0.9",
            "by_prevalence": True,
            "prevalence": "0.2",
            "average_list": "50000",
            "first_day": "2021-10-01",
            "known_from": "2021-09-01",
            "supersedes": None,
            "confidence": "one_source",
            "sources": ["a circular"],
            "note": "As published.",
        },
        f"POST {V1}/what-ifs": {
            "contract_year": "2022-23",
            "through": "2022-12",
            "networks": [funding.NETWORK],
            "commissioner": funding.COMMISSIONER,
            "members": [{"practice": "A00003", "joins": funding.NETWORK, "month": "2022-10", "share": "0.5"}],
            "rates": [{"stream": "core_registered", "value": "1.6", "first": "2022-05", "last": "2022-11"}],
            "populations": [{"practice": "A00001", "basis": "registered", "value": "31000"}],
        },
    }


def forms() -> dict[str, dict[str, Any]]:
    """What is sent as a form, with a file."""
    return {f"POST {CHECKS}": a_file(amount="2113.20")}
