"""Small builders of what funding listens to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from shared.events.registry import (
    CommissionerRegistered,
    ListSize,
    ListSizesPublished,
    Member,
    NetworkApproved,
    PracticeFact,
    PracticesPublished,
)
from shared.events.workforce import ClaimMade

COMMISSIONER = "00L"
NETWORK = "U12345"


def a_commissioner(code: str = COMMISSIONER, system: str = "QHM") -> CommissionerRegistered:
    return CommissionerRegistered(
        commissioner=code,
        commissioner_name=f"Commissioner {code}",
        system=system,
        system_name=f"System {system}",
        region="Y63",
        region_name="North",
        valid_from=date(2019, 4, 1),
    )


def some_practices(codes: Iterable[str], commissioner: str = COMMISSIONER) -> PracticesPublished:
    return PracticesPublished(
        commissioner=commissioner,
        as_at=date(2022, 4, 1),
        practices=[PracticeFact(practice=c, practice_name=f"Surgery {c}", commissioner=commissioner) for c in codes],
    )


def list_sizes(
    basis: Literal["registered", "weighted", "adjusted"],
    sizes: Mapping[str, str | int],
    *,
    snapshot: date = date(2022, 1, 1),
    known_from: date | None = None,
    commissioner: str = COMMISSIONER,
    network: str | None = NETWORK,
) -> ListSizesPublished:
    return ListSizesPublished(
        commissioner=commissioner,
        basis=basis,
        snapshot=snapshot,
        known_from=known_from or date(snapshot.year, 3, 1),
        source="invented",
        sizes=[ListSize(practice=p, network=network, value=Decimal(v)) for p, v in sizes.items()],
    )


def an_approved_network(
    code: str = NETWORK,
    members: Iterable[str | Member] = ("A00001", "A00002"),
    *,
    commissioner: str = COMMISSIONER,
    since: date = date(2020, 4, 1),
    **more: Any,
) -> NetworkApproved:
    return NetworkApproved(
        network=code,
        network_name=f"Network {code}",
        commissioner=commissioner,
        contract_year=more.pop("contract_year", "2022-23"),
        approved_on=since,
        valid_from=since,
        members=[m if isinstance(m, Member) else Member(practice=m, valid_from=since) for m in members],
        decided_by="register",
        **more,
    )


def a_claim(claim: str = "claim-1", **changed: Any) -> ClaimMade:
    given: dict[str, Any] = {
        "claim": claim,
        "network": NETWORK,
        "post": "post-1",
        "role": "clinical_pharmacist",
        "wte": Decimal("1.0"),
        "month": "2022-04",
        "worked_from": date(2022, 4, 1),
        "worked_to": date(2022, 4, 30),
        "salary": Decimal("3000.00"),
        "employer_ni": Decimal("300.00"),
        "employer_pension": Decimal("430.00"),
        "additional": True,
        "made_on": date(2022, 5, 2),
    }
    return ClaimMade(**{**given, **changed})


def bank_details(payee: str = "A00001", **changed: Any) -> dict[str, Any]:
    """What somebody enters for a payee."""
    given = {
        "payee": payee,
        "account_name": f"Surgery {payee}",
        "sort_code": "204060",
        "account_number": f"{sum(map(ord, payee)):08d}",
    }
    return {**given, **changed}
