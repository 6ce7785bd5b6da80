"""Rules without a database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.registry.applications.form import ApplicationKind, ApplicationPractice, KnownPractice
from services.registry.applications.model import Application, ApplicationStatus
from services.registry.applications.refusals import ApplicationNotOpen, NetworkTooSmall, PracticeAppliesElsewhere
from services.registry.codes import local_network_code
from services.registry.ods import readers
from services.registry.ods.reconcile import Piece, from_day
from services.registry.rounds.coverage import Cover, Coverage, CoverageIncomplete
from services.registry.rounds.model import OnlyNationalOverrides, Round, RoundAlreadyDecided, RoundStatus
from services.registry.size_rules.model import SizeRule
from shared.errors import Invalid
from shared.years import year_of_day

DAY = date(2022, 2, 14)


def known(code: str, patients: int | None = 11_000, **changes: Any) -> KnownPractice:
    facts: dict[str, Any] = {
        "name": f"{code} surgery",
        "open": True,
        "commissioner": "SA1",
        "contract": "GMS",
        "networks": (),
        "allocated_to": None,
        "patients": None if patients is None else Decimal(patients),
    }
    return KnownPractice(code=code, **{**facts, **changes})


def an_application(*practices: str, id: str = "app-1", **changes: Any) -> Application:
    facts: dict[str, Any] = {
        "round": "rnd-1",
        "commissioner": "SA1",
        "contract_year": "2022-23",
        "status": ApplicationStatus.DRAFT,
        "network_name": "Harbour PCN",
        "kind": ApplicationKind.NEW,
        "reforms": [],
        "clinical_directors": [{"name": "Dr A", "practice": practices[0] if practices else None}],
        "localities": [],
        "payee": "Z80001",
        "bank_details_given": True,
        "area": {"type": "Polygon", "coordinates": [[[-2, 54], [-1.9, 54], [-1.9, 54.1], [-2, 54]]]},
        "agreement_signed_by": list(practices),
        "area_description": "The harbour",
        "late": False,
    }
    made = Application(id=id, **{**facts, **changes})
    made.practices = [ApplicationPractice(application=id, practice=code, share=Decimal(1)) for code in practices]
    return made


def register(*practices: KnownPractice) -> dict[str, KnownPractice]:
    return {practice.code: practice for practice in practices}


RULE = SizeRule(
    smallest=Decimal(30_000),
    large=Decimal(50_000),
    localities_from=Decimal(100_000),
    locality_smallest=Decimal(30_000),
    locality_largest=Decimal(50_000),
    sliver=Decimal(10_000),
)
THREE = register(known("P1"), known("P2"), known("P3"))


def submit(application: Application, facts: dict[str, KnownPractice], others: Sequence[Application] = ()) -> Any:
    return application.submit(facts, others, RULE, on=DAY, by="alice", apply_by=date(2022, 2, 28))


def test_an_application_in_time_is_submitted_and_announced_with_its_size() -> None:
    event = submit(an_application("P1", "P2", "P3"), THREE)
    assert (event.registered_patients, event.late, event.submitted_on) == (33_000, False, DAY)


def test_a_late_application_is_accepted_and_marked_late() -> None:
    application = an_application("P1", "P2", "P3")
    event = application.submit(THREE, [], RULE, on=date(2022, 3, 4), by="alice", apply_by=date(2022, 2, 28))
    assert event.late
    assert [w.code for w in application.cautions(Decimal(33_000), RULE)] == ["late"]


def test_a_returned_application_keeps_the_day_it_first_came_in() -> None:
    application = an_application("P1", "P2", "P3")
    submit(application, THREE)
    application.send_back("Sign it.", on=date(2022, 3, 2))
    event = application.submit(THREE, [], RULE, on=date(2022, 3, 20), by="alice", apply_by=date(2022, 2, 28))
    assert (event.submitted_on, event.late) == (DAY, False)


def test_everything_missing_is_listed_at_once() -> None:
    application = an_application(
        *("P1", "P2"),
        clinical_directors=[],
        payee=None,
        bank_details_given=None,
        area_description=None,
        area=None,
        agreement_signed_by=["P1", "P9"],
    )
    facts = register(known("P1", None, contract="UNKNOWN-X"), known("P2", open=False))
    with pytest.raises(Invalid) as refused:
        submit(application, facts)
    assert [(fault.field, fault.code) for fault in refused.value.errors] == [
        ("practices.P1", "not_a_core_contract"),
        ("practices.P1", "list_size_unknown"),
        ("practices.P2", "practice_not_open"),
        ("agreement_signed_by", "not_signed"),
        ("agreement_signed_by", "not_a_member"),
        ("clinical_director", "missing"),
        ("payee", "missing"),
        ("bank_details_given", "missing"),
        ("area_description", "missing"),
        ("area", "missing"),
    ]


@pytest.mark.parametrize("kind", [ApplicationKind.NEW, ApplicationKind.REFORM, ApplicationKind.CHANGE])
def test_a_network_that_is_made_brings_its_map_and_its_bank_details(kind: ApplicationKind) -> None:
    """One that goes on has an area, and somebody who is paid for it."""
    application = an_application("P1", "P2", "P3", kind=kind, payee=None, bank_details_given=None, area=None)
    lacks = {fault.field for fault in application.missing(THREE, "Z80001")}
    made = {"bank_details_given", "area"}
    assert lacks & {*made, "payee"} == (set() if kind is ApplicationKind.CHANGE else made)
    assert "payee" in {fault.field for fault in application.missing(THREE)}


def test_a_director_works_in_a_member_practice() -> None:
    with pytest.raises(Invalid) as refused:
        submit(an_application("P1", "P2", "P3", clinical_directors=[{"name": "Dr B", "practice": "P9"}]), THREE)
    assert [fault.field for fault in refused.value.errors] == ["clinical_director.practice"]


@pytest.mark.parametrize(("patients", "small"), [(29_999, True), (30_000, False)])
def test_a_network_under_30000_is_refused_without_a_waiver(patients: int, small: bool) -> None:
    application, facts = an_application("P1"), register(known("P1", patients))
    if small:
        with pytest.raises(NetworkTooSmall):
            submit(application, facts)
        application.size_waiver_reason = "A remote valley"
    submit(application, facts)
    assert application.waived_by == ("alice" if small else None)


@pytest.mark.parametrize(
    ("patients", "expected"),
    [(50_000, []), (50_001, ["over_50000"]), (100_001, ["over_50000", "localities_asked_for"])],
)
def test_large_networks_are_warned_about(patients: int, expected: list[str]) -> None:
    assert [w.code for w in an_application("P1", "P2").cautions(Decimal(patients), RULE)] == expected


def test_one_practice_in_two_applications_is_refused_unless_the_shares_fit() -> None:
    other = an_application("P3", id="app-2", network_name="Vale PCN")
    with pytest.raises(PracticeAppliesElsewhere):
        submit(an_application("P1", "P2", "P3"), THREE, [other])
    other.practices[0].share = Decimal("0.4")
    split = an_application("P1", "P2", "P3")
    split.practices[2].share = Decimal("0.8")
    with pytest.raises(PracticeAppliesElsewhere):
        submit(split, THREE, [other])
    split.size_waiver_reason = "split"
    split.practices[2].share = Decimal("0.6")
    assert submit(split, THREE, [other]).registered_patients == 28_600


def test_a_submitted_application_is_not_changed_or_submitted_again() -> None:
    application = an_application("P1", "P2", "P3")
    submit(application, THREE)
    with pytest.raises(ApplicationNotOpen):
        submit(application, THREE)


def cover(share: str, patients: int = 100) -> Cover:
    return Cover("P1", "P1 surgery", Decimal(patients), Decimal(share), ())


def a_round() -> Round:
    return Round(id="rnd-1", commissioner="SA1", contract_year="2022-23", opens_on=DAY, status=RoundStatus.OPEN)


def decide(round: Round, coverage: Coverage, *, national: bool = False, override: str | None = None) -> Any:
    return round.decide(
        coverage,
        ["app-1"],
        [],
        on=DAY,
        at=datetime(2022, 3, 28, tzinfo=UTC),
        by="x",
        today=DAY,
        national=national,
        override_reason=override,
    )


def test_no_area_is_decided_while_a_patient_is_left_out() -> None:
    with pytest.raises(CoverageIncomplete) as refused:
        decide(a_round(), Coverage((cover("1"), cover("0.6"))))
    assert "40 patients" in str(refused.value)
    assert decide(a_round(), Coverage((cover("1"),))).override_reason is None


def test_an_area_without_any_list_counts_as_uncovered() -> None:
    with pytest.raises(CoverageIncomplete):
        decide(a_round(), Coverage(()))


def test_only_the_national_team_overrides_and_its_reason_is_kept() -> None:
    with pytest.raises(OnlyNationalOverrides):
        decide(a_round(), Coverage((cover("0"),)), override="because")
    round = a_round()
    assert decide(round, Coverage((cover("0"),)), national=True, override="because").override_reason == "because"
    with pytest.raises(RoundAlreadyDecided):
        decide(round, Coverage((cover("1"),)))


def test_an_override_that_was_not_needed_is_not_recorded() -> None:
    assert decide(a_round(), Coverage((cover("1"),)), national=True, override="because").override_reason is None


def test_local_network_codes_skip_those_taken() -> None:
    assert local_network_code({"U99001", "U99002"}) == "U99003"
    assert local_network_code({f"U{n}" for n in range(99001, 100_000)}) is None


@pytest.mark.parametrize(
    ("day", "year"), [("2022-03-31", "2021-22"), ("2022-04-01", "2022-23"), ("2099-12-31", "2099-00")]
)
def test_contract_years_run_from_april_to_march(day: str, year: str) -> None:
    assert year_of_day(date.fromisoformat(day)) == year


@pytest.mark.parametrize(
    "written",
    [20220901.0, "20220901", "2022-09-01", "01Sep2022", "01SEP2022", "01-Sep-22", "01/09/2022", datetime(2022, 9, 1)],  # noqa: DTZ001
)
def test_days_are_read_in_every_shape_the_files_use(written: object) -> None:
    assert readers.day(written, "day") == date(2022, 9, 1)


@pytest.mark.parametrize("written", ["", "20221301", "soon", "31/02/2022"])
def test_a_day_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(readers.BadCell):
        readers.day(written, "day")


def test_head_counts_are_exactly_what_the_cell_has() -> None:
    assert str(readers.head_count(29476.112875505714, "n")) == "29476.112875505714"
    assert str(readers.head_count(12232.0, "n")) == "12232"
    for bad in ("", "-1", "NaN", "many", True, float("inf")):
        with pytest.raises(readers.BadCell):
            readers.head_count(bad, "n")


@pytest.mark.parametrize(
    ("code", "fine"), [("00L", True), ("01E", True), ("M1J4Y", True), (100.0, False), ("a1", False)]
)
def test_commissioner_codes_are_text_and_never_numbers(code: object, fine: bool) -> None:
    if fine:
        assert readers.organisation(code, "c") == code
    else:
        with pytest.raises(readers.BadCell):
            readers.organisation(code, "c")


OPEN, JULY = date(2019, 10, 1), date(2022, 7, 1)


def test_the_first_file_speaks_for_the_whole_life_of_an_entry() -> None:
    assert from_day([], JULY, (OPEN, None), ("A",)) == [Piece((OPEN, None), ("A",))]


def test_a_later_file_leaves_the_days_before_it_as_they_were() -> None:
    held = [Piece((OPEN, None), ("A",))]
    assert from_day(held, JULY, (OPEN, None), ("A",)) == held
    assert from_day(held, JULY, (OPEN, None), ("B",)) == [Piece((OPEN, JULY), ("A",)), Piece((JULY, None), ("B",))]


def test_a_closing_cuts_the_entry_and_a_corrected_opening_extends_it() -> None:
    held = [Piece((OPEN, None), ("A",))]
    closed = date(2022, 4, 1)
    assert from_day(held, JULY, (OPEN, closed), ("B",)) == [Piece((OPEN, closed), ("A",))]
    assert from_day(held, JULY, (date(2019, 7, 1), None), ("A",)) == [Piece((date(2019, 7, 1), None), ("A",))]
