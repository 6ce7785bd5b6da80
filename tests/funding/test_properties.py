"""Whatever becomes known, in whatever order, and wherever runs fall between: paid and held is what is due at last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from deploy.issuer import EmbeddedIssuer
from services.funding.claims.beyond import beyond_sums
from services.funding.claims.parts import whole_of
from services.funding.entitlements.queries import load_year
from services.funding.lines.trace import recompute
from services.funding.membership_rules.operations import rules_of
from services.funding.money import PARTS, to_pence
from services.funding.networks.withdrawals import withdrawals_of
from services.funding.payments.engine import portions, product, settled
from services.funding.payments.serving import right_in
from shared.events.registry import EntitlementRestored, EntitlementWithdrawn, Member, PatientsAllocated, PayeeAppointed
from shared.facts import days
from shared.years import months_of
from tests.conftest import rolled_back
from tests.funding.adding_up import all_of
from tests.funding.asking import commissioner
from tests.funding.builders import (
    COMMISSIONER,
    NETWORK,
    a_claim,
    a_commissioner,
    an_approved_network,
    list_sizes,
    some_practices,
)
from tests.funding.test_bank_details import approved
from tests.funding.test_journey import paid
from tests.funding.test_runs import nan
from tests.funding.test_runs_instructions import INSTRUCTIONS
from tests.funding.test_runs_instructions import settled as told_by_the_bank
from tests.harness import Harness

MONTHS = months_of("2023-24")
PRACTICES = ("A00001", "A00002", "A00003")
PAYEES = ("A00001", "X00001", "X00002")
BASES: tuple[Literal["registered", "adjusted", "weighted"], ...] = ("registered", "adjusted", "weighted")
APRIL = date(2023, 4, 1)

day = st.integers(0, 365).map(lambda number: APRIL + timedelta(number))
heads = st.decimals(min_value=0, max_value=30_000, places=2, allow_nan=False, allow_infinity=False)
spell = st.tuples(st.sampled_from(PRACTICES), day, st.one_of(st.none(), day), st.sampled_from(["1", "0.5"]))
happenings = st.one_of(
    st.tuples(
        st.just("list"), st.sampled_from(["registered", "adjusted", "weighted"]), st.sampled_from(PRACTICES), heads
    ),
    st.tuples(st.just("members"), st.lists(spell, max_size=3)),
    st.tuples(st.just("rate"), st.sampled_from(["core_registered", "enhanced_access"]), st.integers(0, 9_000)),
    st.tuples(st.just("beds"), st.integers(0, 11), st.integers(0, 300)),
    st.tuples(st.just("rule"), st.sampled_from(["first-day", "any-day", "days"]), st.integers(0, 11)),
    st.tuples(st.just("withdrawn"), st.sampled_from([None, *PRACTICES]), st.integers(1, 2), day),
    st.tuples(st.just("restored"), st.sampled_from([None, *PRACTICES]), st.integers(1, 2), day),
    st.tuples(st.just("allocated"), st.sampled_from(PRACTICES), day),
    st.tuples(st.just("claim"), st.integers(0, 11), st.integers(1, 9)),
    st.tuples(st.just("payee"), st.sampled_from(PAYEES), day),
    st.tuples(st.just("run"), st.integers(0, 11)),
)

which = st.integers(0, 5)
money = st.one_of(
    st.tuples(st.just("run"), st.integers(0, 11)),
    st.tuples(st.just("sent")),
    st.tuples(st.just("returned"), which),
    st.tuples(st.just("sent again"), which),
    st.tuples(st.just("redirected"), which),
    st.tuples(st.just("given up"), which),
    st.tuples(st.just("payee"), st.sampled_from(PAYEES), day),
    st.tuples(st.just("list"), st.sampled_from(["registered", "weighted"]), st.sampled_from(PRACTICES[:2]), heads),
    st.tuples(st.just("claim"), st.integers(0, 11), st.integers(1, 9)),
    st.tuples(st.just("withdrawn"), st.none(), st.integers(1, 2), day),
)
"""What becomes of payments, among what makes them other than they were."""


class World:
    """A service to which things become known, and which pays now and then."""

    def __init__(self, app: Harness) -> None:
        self.app = app
        self.rates: dict[str, str] = {
            "core_registered": "core_registered.2324.28",
            "enhanced_access": "enhanced_access.2324.31",
        }
        self.published = 0
        self.paid_months: set[str] = set()
        self.claims = 0
        self.banked: set[str] = set()

    async def begin(self) -> None:
        await self.app.deliver(a_commissioner(), some_practices(PRACTICES))
        for basis in BASES:
            await self.app.deliver(list_sizes(basis, {"A00001": 12_345, "A00002": 6_789}, snapshot=date(2023, 1, 1)))
        await self.app.deliver(an_approved_network(members=["A00001", "A00002"], contract_year="2023-24"))

    async def happen(self, what: tuple[Any, ...]) -> None:
        match what:
            case ("list", basis, practice, value):
                self.published += 1
                known = date(2023, 3, 2) + timedelta(self.published)
                await self.app.deliver(
                    list_sizes(basis, {practice: str(value)}, snapshot=date(2023, 1, 1), known_from=known)
                )
            case ("members", spells):
                members, taken = [], set()
                for practice, first, last, share in spells:
                    if practice not in taken:
                        taken.add(practice)
                        ends = None if last is None or last < first else last
                        members.append(Member(practice=practice, valid_from=first, valid_to=ends, share=Decimal(share)))
                await self.app.deliver(an_approved_network(members=members, contract_year="2023-24"))
            case ("rate", stream, thousandths):
                await self._publish(stream, thousandths)
            case ("beds", month, beds):
                await self._supply(MONTHS[month], beds)
            case ("rule", kind, month):
                rule = {"kind": kind, "first_month": MONTHS[month], "last_month": None, "note": "tried out"}
                assert (await self.app.post("/funding/v1/membership-rules", rule, nan(self.app))).status_code == 201
            case ("withdrawn", practice, number, first):
                await self.app.deliver(
                    EntitlementWithdrawn(
                        withdrawal=f"wdr-{practice}-{number}",
                        network=NETWORK,
                        commissioner=COMMISSIONER,
                        practice=practice,
                        withdrawn_from=first,
                        reason="nothing delivered",
                    )
                )
            case ("restored", practice, number, first):
                await self.app.deliver(
                    EntitlementRestored(
                        withdrawal=f"wdr-{practice}-{number}",
                        network=NETWORK,
                        commissioner=COMMISSIONER,
                        practice=practice,
                        restored_from=first,
                        reason="upheld",
                    )
                )
            case ("allocated", practice, first):
                await self.app.deliver(
                    PatientsAllocated(network=NETWORK, commissioner=COMMISSIONER, practice=practice, valid_from=first)
                )
            case ("payee", payee, first):
                await self.app.deliver(PayeeAppointed(network=NETWORK, payee=payee, valid_from=first))
            case ("claim", month, hundreds):
                await self._claim(MONTHS[month], hundreds)
            case ("run", month):
                await self.run(MONTHS[month])
            case ("sent",):
                await self._send()
            case ("returned", number):
                await self._of(number, {"sent", "confirmed"}, self._return)
            case ("sent again", number):
                await self._of(number, {"returned"}, self._remedy)
            case ("redirected", number):
                await self._of(number, {"returned", "held", "redirected"}, self._redirect)
            case ("given up", number):
                await self._of(number, {"carried"}, self._give_up)

    async def _send(self) -> None:
        """A file of every issued run: whoever is known to the bank is sent its money, one payee never is."""
        waiting = await all_of(self.app, "payment-instructions", state="held")
        for payee in {one["payee"] for one in waiting} - self.banked - {PAYEES[-1]}:
            self.banked.add(payee)
            await approved(self.app, payee)
        for run in {one["run"] for one in await all_of(self.app, "payment-instructions")}:
            reply = await self.app.post(f"/funding/v1/payment-runs/{run}/files", {}, nan(self.app))
            assert reply.status_code == 201 or reply.json()["code"] == "NothingToSend", reply.text

    async def _of(self, number: int, states: set[str], act: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        """One of the instructions in some states that nothing was done about yet, if there is any."""
        found = [
            one
            for one in await all_of(self.app, "payment-instructions")
            if one["state"] in states and one["taken_into"] is None and one["debt"] is None
        ]
        if found:
            await act(found[number % len(found)])

    async def _return(self, one: dict[str, Any]) -> None:
        await told_by_the_bank(self.app, one, "return")

    async def _remedy(self, one: dict[str, Any]) -> None:
        note = {"reason": "The branch was mistaken."}
        reply = await self.app.put(f"{INSTRUCTIONS}/{one['id']}/remedy", note, nan(self.app))
        assert reply.status_code == 200 or reply.json()["code"] == "InstructionNotReturned", reply.text

    async def _redirect(self, one: dict[str, Any]) -> None:
        parts = (await self.app.client.get(f"{INSTRUCTIONS}/{one['id']}/parts", headers=nan(self.app))).json()["items"]
        for part in parts:
            # what is left may have gone with a part before
            if part["paid_today"] != one["payee"] and Decimal(part["left"]):
                given = {"instruction": one["id"], "redirected_to": part["paid_today"], "reason": "It is gone."}
                given |= {name: part[name] for name in ("network", "practice")}
                made = await self.app.post("/funding/v1/payment-redirections", given, nan(self.app))
                if made.status_code == 409:
                    assert made.json()["code"] == "NothingToRedirect", made.text
                    continue
                path = f"/funding/v1/payment-redirections/{made.json()['id']}/approval"
                done = await self.app.put(path, None, nan(self.app, "bob"))
                assert done.status_code == 200, done.text

    async def _give_up(self, one: dict[str, Any]) -> None:
        given = {"instruction": one["id"], "outcome": "written-off", "reason": "It closed."}
        made = await self.app.post("/funding/v1/debt-decisions", given, nan(self.app))
        assert made.status_code == 201, made.text
        path = f"/funding/v1/debt-decisions/{made.json()['id']}/approval"
        assert (await self.app.put(path, None, nan(self.app, "bob"))).status_code == 200

    async def _publish(self, stream: str, thousandths: int) -> None:
        rate = {
            "kind": "stream",
            "code": stream,
            "basis": {"core_registered": "registered", "enhanced_access": "adjusted"}[stream],
            "value": f"{Decimal(thousandths) / 1000:.3f}",
            "rate_period": "year",
            "valid_from": "2023-04-01",
            "valid_to": "2024-03-31",
            "supersedes": self.rates[stream],
            "confidence": "derived",
        }
        reply = await self.app.post("/funding/v1/tariffs", rate, nan(self.app))
        assert reply.status_code == 201, reply.text
        self.rates[stream] = reply.json()["id"]

    async def _supply(self, month: str, beds: int) -> None:
        body = {"month": month, "counts": [{"network": NETWORK, "beds": beds}]}
        reply = await self.app.post("/funding/v1/beds", body, commissioner(self.app))
        if reply.status_code == 409:
            path = f"/funding/v1/beds/{NETWORK}/{month}"
            correction = {"beds": beds, "note": "counted again"}
            current = await self.app.client.get(path, headers=commissioner(self.app))
            match = {**commissioner(self.app), "If-Match": current.headers["etag"]}
            reply = await self.app.client.put(path, json=correction, headers=match)
        assert reply.status_code in {200, 201}, reply.text

    async def _claim(self, month: str, hundreds: int) -> None:
        self.claims += 1
        first = date(int(month[:4]), int(month[5:]), 1)
        await self.app.deliver(
            a_claim(
                f"claim-{self.claims}",
                post=f"post-{self.claims}",
                month=month,
                worked_from=first,
                worked_to=first + timedelta(26),
                salary=Decimal(hundreds * 100),
                made_on=first + timedelta(35),
            )
        )
        await self.app.put(f"/funding/v1/claims/claim-{self.claims}/approval", None, commissioner(self.app))

    async def run(self, month: str) -> None:
        if month in self.paid_months:
            return
        self.paid_months.add(month)
        await paid(self.app, month)


async def check(app: Harness) -> None:
    """Paid is due of a fresh computation, but for what is held; every line recomputes; claims were paid once."""
    async with app.session() as session:
        year = await load_year(session, "2023-24", MONTHS[-1], datetime.now(UTC))
        rows = (
            await session.execute(
                text(
                    "SELECT l.* FROM payment_lines l JOIN payment_runs r ON r.id = l.run AND r.status = 'issued'"
                    " WHERE l.amount IS NOT NULL AND l.contract_year = '2023-24'"
                )
            )
        ).all()
        claims = (await session.execute(text("SELECT id, status, payable, month, paid, taken_back FROM claims"))).all()
        withdrawn = await withdrawals_of(session, days(APRIL, None), None, None)
        rules = await rules_of(session, MONTHS, None)
        beyond = await beyond_sums(session)
        standing: dict[str, Decimal] = dict(
            (
                await session.execute(
                    text(
                        "SELECT payee, sum(amount) FROM ("
                        " SELECT payee, amount - redirected AS amount, taken_into FROM payment_instructions"
                        " UNION ALL SELECT redirected_to, amount, taken_into FROM redirections"
                        ") one WHERE taken_into IS NULL GROUP BY payee"
                    )
                )
            ).all()
        )
        of_payee: dict[str, Decimal] = dict(
            (
                await session.execute(
                    text(
                        "SELECT l.payee, sum(l.amount) FROM payment_lines l"
                        " JOIN payment_runs r ON r.id = l.run AND r.status = 'issued'"
                        " WHERE l.amount IS NOT NULL GROUP BY l.payee"
                    )
                )
            ).all()
        )
        moved = (
            await session.execute(
                text(
                    "SELECT r.id, r.payee, r.redirected_to, r.network, r.practice, a.stream, a.month, a.amount"
                    " FROM redirections r JOIN redirected_amounts a ON a.redirection = r.id"
                )
            )
        ).all()
        waits = (await session.execute(text("SELECT payee, state, amount FROM payment_instructions"))).all()
    by_head: dict[Any, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    claimed: dict[str, Decimal] = defaultdict(Decimal)
    reversed_of: dict[str, Decimal] = defaultdict(Decimal)
    running: dict[Any, Decimal] = defaultdict(Decimal)
    for gone in moved:
        of_payee[gone.payee] -= gone.amount
        of_payee[gone.redirected_to] = of_payee.get(gone.redirected_to, Decimal(0)) + gone.amount
    # both sorts of ids begin with the time: what was redirected between two runs stands between their lines
    for row in sorted([*rows, *moved], key=lambda row: row.id.partition("-")[2]):
        if "trace" not in row._mapping:
            place = (row.network, row.practice, row.stream, row.month)
            running[row.payee, *place] -= row.amount
            running[row.redirected_to, *place] += row.amount
            assert running[row.payee, *place] >= 0, "nobody lets go of what it never had"
            continue
        assert recompute(row.trace) == row.amount, row.id
        running[row.payee, row.network, row.practice, row.stream, row.month] += row.amount
        assert running[row.payee, row.network, row.practice, row.stream, row.month] >= 0, (
            "nobody gives back what it never had"
        )
        if row.trace["kind"] == "reversal":
            reversed_of[row.trace["of"]] += row.amount
        elif row.reference is None:
            by_head[row.network, row.practice, row.stream][row.month] += row.amount
        else:
            claimed[whole_of(row.reference)] += row.amount
    assert {payee: amount for payee, amount in standing.items() if amount} == {
        payee: amount for payee, amount in of_payee.items() if amount
    }, "what payees are sent, or carry forward, is what their lines come to"
    assert all(row.amount > 0 or row.state in {"carried", "nil"} for row in waits)
    due = {}
    held = set()
    for key, parts in portions(year):
        ahead, holds = settled(parts)
        held |= {(tuple(key), month) for months in holds.values() for month in months}
        due[tuple(key)] = to_pence(sum((product(p) for months in ahead.values() for p in months), Decimal(0)), PARTS)
    for key in {*by_head, *due}:
        outside = sum((amount for month, amount in by_head[key].items() if (key, month) not in held), Decimal(0))
        assert outside == due.get(key, Decimal(0)), key
    assert {f"claims/{c.id}": c.paid for c in claims if c.paid} == {
        claim: paid for claim, paid in claimed.items() if paid
    }
    assert all(c.paid == c.payable if c.status == "paid" else not c.paid or c.paid < c.payable for c in claims)
    # of what was paid stays the part of the month with the right; what waits for it has no part of its month
    spans = [fact.span for fact in withdrawn.get(NETWORK, ()) if fact.practice is None]
    right = {f"claims/{c.id}": right_in(c.month, rules.get(c.month), spans) for c in claims}
    for c in claims:
        if c.paid:
            part = right[f"claims/{c.id}"]
            stays = to_pence(c.paid * part.numerator, Decimal(part.denominator))
            assert c.paid + reversed_of[f"claims/{c.id}"] == stays, c.id
            assert c.taken_back == c.paid - stays, c.id
    without_right = {claim for claim, part in right.items() if not part}
    assert {f"claims/{c.id}" for c in claims if c.status == "approved"} <= beyond.keys() | without_right


@settings(max_examples=25)
@given(made=st.lists(happenings, max_size=14))
@example(made=[("claim", 10, 8), ("withdrawn", None, 1, date(2023, 9, 19))])
@example(
    made=[
        *(("claim", 3, 8), ("run", 4), ("withdrawn", None, 1, date(2023, 6, 19)), ("run", 5)),
        *(("rule", "days", 0), ("restored", None, 1, date(2023, 7, 12)), ("run", 7)),
    ]
)
async def test_paid_and_held_is_due_whatever_becomes_known_and_whenever_it_is_paid(
    migrated: Callable[[str], str], issuer: EmbeddedIssuer, made: list[tuple[Any, ...]]
) -> None:
    async with rolled_back("funding", migrated("funding"), issuer) as app:
        await come_true(app, made)


GONE = ("payee", "X00001", date(2023, 4, 1))
SHORTER = ("list", "registered", "A00001", Decimal("12.00"))


@settings(max_examples=20)
@given(made=st.lists(money, max_size=16))
@example(
    made=[
        *(("run", 0), ("sent",), ("returned", 0), ("returned", 1), GONE, ("redirected", 0), ("redirected", 1)),
        *(("run", 1), ("sent",), SHORTER, ("run", 2), ("given up", 0), ("run", 3), ("sent",), ("sent again", 0)),
    ]
)
@example(
    made=[
        *(("payee", "X00002", APRIL), ("claim", 0, 9), ("run", 0), GONE, ("redirected", 0), ("redirected", 1)),
        *(("redirected", 2), ("withdrawn", None, 1, APRIL), ("run", 1), ("given up", 0), ("sent",), ("run", 2)),
    ]
)
async def test_paid_and_held_is_due_whatever_becomes_of_payments(
    migrated: Callable[[str], str], issuer: EmbeddedIssuer, made: list[tuple[Any, ...]]
) -> None:
    """Returned, sent again, redirected, given up: by payee and month nobody gives back what it never had."""
    async with rolled_back("funding", migrated("funding"), issuer) as app:
        await come_true(app, made)


async def come_true(app: Harness, made: list[tuple[Any, ...]]) -> None:
    """One thing after another, and at last a run for whatever came late."""
    world = World(app)
    await world.begin()
    for what in made:
        await world.happen(what)
    # the months of the year that nobody was paid for, and one run of the year after for what came late
    for month in (*MONTHS[-1:], "2024-04"):
        await world.run(month)
    await check(app)
