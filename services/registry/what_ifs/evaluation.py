"""What the register says of a grouping nobody has decided, by the rules that applications are held to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.applications.form import ApplicationKind, ApplicationPractice, KnownPractice
from services.registry.applications.model import Application, ApplicationStatus
from services.registry.applications.shapes import FindingOut, WarningOut
from services.registry.networks.model import Membership, NetworkEntry
from services.registry.practices.queries import went_over
from services.registry.rounds.covering import coverage_of
from services.registry.rounds.findings import findings_in
from services.registry.rounds.model import Round
from services.registry.rounds.overtaken import against_networks
from services.registry.rounds.queries import known_practices
from services.registry.size_rules.model import SizeRule
from services.registry.size_rules.queries import rule_on
from services.registry.what_ifs.past import history_of
from services.registry.what_ifs.shapes import (
    Answer,
    Came,
    GroupAnswer,
    LeftOut,
    NetworkAnswer,
    Outcome,
    SizeClass,
    Totals,
    WhatIfIn,
)
from shared.errors import Fault, Refused
from shared.facts import as_at
from shared.years import year_of_day

NOBODY = Decimal(0)


@dataclass(slots=True)
class Standing:
    """The networks a proposal touches as they would be without it: members with their shares."""

    names: dict[str, tuple[str, str]] = field(default_factory=dict)
    members: dict[str, dict[str, Decimal]] = field(default_factory=lambda: defaultdict(dict))

    def of(self, practice: str) -> list[str]:
        return sorted(network for network, members in self.members.items() if practice in members)


async def evaluate(session: AsyncSession, wanted: WhatIfIn, snapshot: date) -> Answer:
    """Sizes, broken rules, areas, who is left out and what becomes of the networks of today; nothing is changed."""
    standing = await _standing(session, wanted)
    round = Round(
        id="",
        commissioner=wanted.commissioner,
        contract_year=year_of_day(wanted.starts_on),
        starts_on=wanted.starts_on,
        snapshot=snapshot,
    )
    forms = forms_of(wanted, standing)
    named = {code for form in forms for code in form.practice_codes}
    everybody = named | {code for members in standing.members.values() for code in members}
    known = await known_practices(session, everybody | {a.practice for a in wanted.allocations}, round)
    rule = await rule_on(session, wanted.starts_on)
    found = await findings_in(session, round, forms, forms)
    against = await against_networks(session, round, _as_applied_for(forms, standing))
    groups = []
    for form in forms:
        others = [other for other in forms if other is not form]
        findings = [FindingOut.model_validate(finding) for finding in found[form.id]]
        groups.append(_group(form, others, known, standing, rule, findings, against[form.id]))
    networks = [_network(code, wanted, forms, known, standing, rule) for code in sorted(standing.members)]
    left_out, twice = await _coverage(session, round, wanted, forms, known, standing)
    return Answer(
        breaks_rules=bool(twice) or any(g.breaches or any(f.blocking for f in g.findings) for g in groups),
        groups=groups,
        networks=networks,
        left_out=left_out,
        patients_left_out=sum((left.uncovered for left in left_out), NOBODY),
        covered_twice=twice,
        history=await history_of(session, wanted, named, standing.of),
        totals=_totals(groups, networks, rule),
    )


async def _standing(session: AsyncSession, wanted: WhatIfIn) -> Standing:
    named = {line.practice for group in wanted.groups for line in group.practices}
    touched = select(Membership.network).where(as_at(Membership, wanted.starts_on), Membership.practice.in_(named))
    asked = {*wanted.ends, *(group.network for group in wanted.groups if group.network)}
    codes = set((await session.scalars(touched.distinct())).all()) | asked
    standing = Standing()
    entries = select(NetworkEntry.network, NetworkEntry.name, NetworkEntry.commissioner).where(
        as_at(NetworkEntry, wanted.starts_on), NetworkEntry.network.in_(codes)
    )
    for code, name, lead in await session.execute(entries):
        standing.names[code] = (name, lead)
        standing.members[code] = {}
    held = select(Membership.network, Membership.practice, Membership.portion).where(
        as_at(Membership, wanted.starts_on), Membership.network.in_(codes)
    )
    for code, practice, portion in await session.execute(held):
        share = (portion.upper or Decimal(1)) - (portion.lower or NOBODY)
        standing.members[code][practice] = standing.members[code].get(practice, NOBODY) + share
    return standing


def forms_of(wanted: WhatIfIn, standing: Standing) -> list[Application]:
    """Each group as the application it would be: never added to the register."""
    forms = []
    for number, group in enumerate(wanted.groups):
        left = {n for line in group.practices for n in standing.of(line.practice)} - {group.network}
        form = Application(
            id=f"group:{group.name}",
            kind=ApplicationKind.CHANGE if group.network else ApplicationKind.NEW,
            status=ApplicationStatus.DRAFT,
            commissioner=wanted.commissioner,
            network_name=group.name,
            network=group.network,
            reforms=sorted(left),
            clinical_directors=[],
            agreement_signed_by=[],
            area=group.area,
            localities=[locality.model_dump() for locality in group.localities],
            size_waiver_reason=group.size_waiver_reason,
            late=False,
        )
        form.practices = [
            ApplicationPractice(application=str(number), practice=line.practice, share=line.share, leaves=line.leaves)
            for line in group.practices
        ]
        forms.append(form)
    return forms


def _as_applied_for(forms: Sequence[Application], standing: Standing) -> list[Application]:
    """What each group would say of networks when applied for: practices leave theirs, what is wholly divided ends."""
    placed = {code for form in forms for code in form.practice_codes}
    whole = {network for network, members in standing.members.items() if members and members.keys() <= placed}
    made = []
    for form in forms:
        applied = Application(id=form.id, network=form.network, reforms=[n for n in form.reforms if n in whole])
        applied.practices = [
            ApplicationPractice(
                practice=line.practice,
                leaves=line.leaves or next((n for n in standing.of(line.practice) if n != form.network), None),
            )
            for line in form.practices
        ]
        made.append(applied)
    return made


def _said(faults: Iterable[Fault]) -> list[WarningOut]:
    return [WarningOut(field=fault.field, code=fault.code, message=fault.message) for fault in faults]


def _group(
    form: Application,
    others: Sequence[Application],
    known: Mapping[str, KnownPractice],
    standing: Standing,
    rule: SizeRule,
    findings: list[FindingOut],
    against: Sequence[Refused],
) -> GroupAnswer:
    size = form.size(known)
    broken = [*form.refusals(known, others, rule), *against]
    refusals = [Fault("practices", refusal.code, str(refusal)) for refusal in broken]
    brought = {line.practice: _patients(known, line.practice) * line.share for line in form.practices}
    commissioners: dict[str, Decimal] = defaultdict(Decimal)
    for code, patients in brought.items():
        by = known[code].commissioner if code in known else None
        commissioners[by or "unknown"] += patients
    came = {code: standing.of(code) for code in form.practice_codes}
    return GroupAnswer(
        name=form.network_name,
        network=form.network,
        practices=form.practice_codes,
        patients=size,
        size=_size_class(size, rule),
        breaches=_said([*form.practice_faults(known), *form.locality_faults(), *refusals]),
        warnings=_said(form.cautions(size, rule, brought)),
        findings=findings,
        commissioners=dict(commissioners),
        crosses_boundary=len(commissioners) > 1,
        comes_from=[
            Came(network=network, practices=[code for code in came if network in came[code]])
            for network in sorted({network for networks in came.values() for network in networks})
        ],
        from_no_network=[code for code, networks in came.items() if not networks],
    )


def _patients(known: Mapping[str, KnownPractice], code: str) -> Decimal:
    return (known[code].patients or NOBODY) if code in known else NOBODY


def _size_class(size: Decimal | None, rule: SizeRule) -> SizeClass:
    if size is None:
        return SizeClass.UNKNOWN
    if size < rule.smallest:
        return SizeClass.SMALL
    if size > rule.localities_from:
        return SizeClass.VERY_LARGE
    return SizeClass.LARGE if size > rule.large else SizeClass.EXPECTED


def _network(
    code: str,
    wanted: WhatIfIn,
    forms: Sequence[Application],
    known: Mapping[str, KnownPractice],
    standing: Standing,
    rule: SizeRule,
) -> NetworkAnswer:
    held = standing.members[code]
    named = {practice for form in forms for practice in form.practice_codes}
    own = next((form for form in forms if form.network == code), None)
    if own is not None:
        then = {line.practice: line.share for line in own.practices}
    elif code in wanted.ends:
        then = {}
    else:
        then = {practice: share for practice, share in held.items() if practice not in named}
    before, after = (sum((_patients(known, p) * s for p, s in m.items()), NOBODY) for m in (held, then))
    loses, gains = sorted(held.keys() - then.keys()), sorted(then.keys() - held.keys())
    if not then:
        outcome = Outcome.ENDS
    elif loses and gains:
        outcome = Outcome.CHANGES
    else:
        outcome = Outcome.SHRINKS if loses else Outcome.GROWS if gains else Outcome.GOES_ON
    name, lead = standing.names.get(code, (code, ""))
    return NetworkAnswer(
        network=code,
        name=name,
        commissioner=lead,
        outcome=outcome,
        patients_today=before,
        patients_then=after,
        falls_under_smallest=bool(then) and after < rule.smallest <= before,
        loses=loses,
        gains=gains,
    )


async def _coverage(
    session: AsyncSession,
    round: Round,
    wanted: WhatIfIn,
    forms: Sequence[Application],
    known: Mapping[str, KnownPractice],
    standing: Standing,
) -> tuple[list[LeftOut], list[LeftOut]]:
    """Patients of the area, and of the networks touched, whom nobody would serve; and those served twice."""
    named = {practice for form in forms for practice in form.practice_codes}
    served = {allocation.practice for allocation in wanted.allocations}
    ended: dict[str, Decimal] = defaultdict(Decimal)
    for network in wanted.ends:
        for code, share in standing.members.get(network, {}).items():
            if code not in named:
                ended[code] += share
    coverage = await coverage_of(session, round, forms)
    heirs = await went_over(session, round.starts_on)
    left, twice = {}, {}
    for cover in coverage.practices:
        code, serves = cover.practice, heirs.get(cover.practice, cover.practice)
        share = cover.share - ended.get(serves, NOBODY)
        share -= sum(kind == "allocation" and by in wanted.ends for kind, by in cover.by)
        uncovered = (
            NOBODY if cover.dispersed is not None else cover.patients * (1 - min(max(share, NOBODY), Decimal(1)))
        )
        line = LeftOut(practice=code, name=cover.name, patients=cover.patients, uncovered=uncovered)
        if uncovered and serves not in served:
            left[code] = line
        if share + (serves in served) > 1:
            twice[code] = line
    of_the_area = {cover.practice for cover in coverage.practices}
    for code in sorted(ended.keys() - served - of_the_area):
        patients, name = _patients(known, code), known[code].name if code in known else code
        left[code] = LeftOut(practice=code, name=name, patients=patients, uncovered=patients * ended[code])
    return [left[code] for code in sorted(left)], [twice[code] for code in sorted(twice)]


def _totals(groups: Sequence[GroupAnswer], networks: Sequence[NetworkAnswer], rule: SizeRule) -> Totals:
    today = [network.patients_today for network in networks if network.patients_today]
    again = {group.network for group in groups if group.network}
    then = [group.patients or NOBODY for group in groups]
    then += [n.patients_then for n in networks if n.outcome is not Outcome.ENDS and n.network not in again]
    return Totals(
        networks_today=len(today),
        networks_then=len(then),
        under_smallest_today=sum(size < rule.smallest for size in today),
        under_smallest_then=sum(size < rule.smallest for size in then),
        over_large_today=sum(size > rule.large for size in today),
        over_large_then=sum(size > rule.large for size in then),
    )
