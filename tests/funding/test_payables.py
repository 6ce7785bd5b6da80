"""Amounts other nouns hand to a run: each leaves once, whoever tries again."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from services.funding.lines.explanation import ARITHMETIC
from services.funding.lines.trace import RECOMPUTE
from services.funding.payments.model import PaidReference
from services.funding.payments.sources import SOURCES
from shared.identity import Role
from tests.funding.builders import COMMISSIONER, a_claim
from tests.funding.test_journey import RUNS, an_area, calculated, paid
from tests.harness import Harness


async def an_approved_claim(app: Harness) -> None:
    await app.deliver(a_claim())
    commissioner = app.token(Role.COMMISSIONER, organisations=[COMMISSIONER], subject="carol")
    reply = await app.put("/funding/v1/claims/claim-1/approval", None, commissioner)
    assert reply.status_code == 200, reply.text


async def test_a_claim_leaves_with_one_run_and_is_entered_as_paid(funding_app: Harness) -> None:
    await an_area(funding_app)
    await an_approved_claim(funding_app)
    given_up = await calculated(funding_app, "2022-04")
    alice = funding_app.token(Role.NATIONAL)
    assert (await funding_app.put(f"{RUNS}/{given_up['id']}/abandonment", None, alice)).status_code == 200
    run = await paid(funding_app, "2022-04")
    async with funding_app.session() as session:
        entered = (await session.execute(select(PaidReference.reference, PaidReference.run))).all()
    assert [tuple(row) for row in entered] == [("claims/claim-1", run["id"])]
    assert (await paid(funding_app, "2022-05"))["totals"].get("arrs") is None
    lines = (await funding_app.client.get("/funding/v1/lines", params={"stream": "arrs"}, headers=alice)).json()[
        "items"
    ]
    assert [line["reference"] for line in lines if line["run"] == run["id"]] == ["claims/claim-1"]


async def test_the_database_refuses_a_reference_that_left_before(funding_app: Harness) -> None:
    await an_area(funding_app)
    await an_approved_claim(funding_app)
    await paid(funding_app, "2022-04")
    may = await calculated(funding_app, "2022-05")
    async with funding_app.session() as session:
        # the totals of the run would refuse the line first
        await session.execute(text("ALTER TABLE payment_lines DISABLE TRIGGER payment_lines_within_totals"))
        await session.execute(
            text(
                "INSERT INTO payment_lines SELECT :run || '-x', :run, network, practice, payee, stream, month,"
                " contract_year, amount, cause, held_code, reference, trace FROM payment_lines"
                " WHERE reference = 'claims/claim-1' AND run <> :run"
            ),
            {"run": may["id"]},
        )
        await session.execute(text("UPDATE payment_runs SET status = 'approved' WHERE id = :run"), {"run": may["id"]})
        with pytest.raises(IntegrityError, match="pk_paid_references"):
            async with session.begin_nested():
                await session.execute(
                    text("UPDATE payment_runs SET status = 'issued' WHERE id = :run"), {"run": may["id"]}
                )


def test_every_kind_of_trace_is_both_recomputed_and_explained() -> None:
    assert RECOMPUTE.keys() == ARITHMETIC.keys()
    kinds = [source.kind for source in SOURCES]
    assert len(kinds) == len(set(kinds))
