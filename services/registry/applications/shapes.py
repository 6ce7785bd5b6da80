"""What is sent and answered about applications."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from services.registry.applications.form import ApplicationKind, ReformReason
from services.registry.applications.model import ApplicationStatus, LmcOpinion, RefusalGround, Step
from services.registry.codes import Day, NetworkCode, OrganisationCode
from shared.http import In, Out


def _a_share(value: Decimal) -> Decimal:
    if not value.is_finite() or not 0 < value <= 1 or value != round(value, 6):
        raise ValueError("a share is over 0, at most 1, with up to six decimal places")
    return value


class ApplyingPracticeIn(In):
    practice: OrganisationCode
    share: Annotated[Decimal, AfterValidator(_a_share)] = Decimal(1)
    leaves: NetworkCode | None = None


class DirectorIn(In):
    """An accountable director; `share` is the part of the post where several hold it together."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    practice: OrganisationCode
    professional_registration: Annotated[str | None, Field(max_length=50)] = None
    share: Annotated[Decimal, AfterValidator(_a_share)] | None = None


class LocalityIn(In):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    practices: Annotated[list[OrganisationCode], Field(min_length=1, max_length=200)]


class ApplicationFields(In):
    """The form. `area` is a GeoJSON Polygon or MultiPolygon; `bank_details_given`: the payment service has them.

    `clinical_director` is the only or first one, `clinical_directors` all of them: one of the two is sent. An
    application with `reforms` divides those networks and forms this one from their practices, for `reform_reason`.
    """

    kind: ApplicationKind | None = None
    network: NetworkCode | None = None
    proposed_code: NetworkCode | None = None
    reforms: Annotated[list[NetworkCode], Field(max_length=20)] = []
    reform_reason: ReformReason | None = None
    reform_explanation: Annotated[str | None, Field(max_length=10_000)] = None
    practices: Annotated[list[ApplyingPracticeIn], Field(max_length=200)] = []
    clinical_director: DirectorIn | None = None
    clinical_directors: Annotated[list[DirectorIn], Field(max_length=20)] = []
    payee: OrganisationCode | None = None
    bank_details_given: bool | None = None
    area: dict[str, Any] | None = None
    localities: Annotated[list[LocalityIn], Field(max_length=50)] = []
    agreement_signed_by: Annotated[list[OrganisationCode], Field(max_length=200)] = []
    area_description: Annotated[str | None, Field(max_length=10_000)] = None
    size_waiver_reason: Annotated[str | None, Field(max_length=10_000)] = None

    def fields(self) -> dict[str, Any]:
        """What was sent, as columns; the practices apart."""
        apart = {"practices", "clinical_director", "clinical_directors", "round"}
        sent = self.model_dump(include=self.model_fields_set - apart)
        if self.model_fields_set & {"clinical_director", "clinical_directors"}:
            directors = self.clinical_directors or ([self.clinical_director] if self.clinical_director else [])
            sent["clinical_directors"] = [director.model_dump(mode="json") for director in directors]
        return sent

    def lines(self) -> list[tuple[str, Decimal, str | None]]:
        return [(line.practice, line.share, line.leaves) for line in self.practices]


class ApplicationIn(ApplicationFields):
    """The registration form, as far as it is filled in."""

    round: Annotated[str, Field(max_length=32)]
    network_name: Annotated[str, Field(min_length=1, max_length=200)]


class ApplicationChange(ApplicationFields):
    """Only what is sent changes; practices are sent as a whole."""

    network_name: Annotated[str, Field(min_length=1, max_length=200)] = ""


class SubmissionIn(In):
    received_on: Day | None = None


class ReasonIn(In):
    reason: Annotated[str, Field(min_length=3, max_length=10_000)]


class RefusedIn(ReasonIn):
    """`ground` is the rule the application fails; the content of the network agreement is none."""

    ground: RefusalGround = RefusalGround.OTHER


class OpinionIn(In):
    opinion: LmcOpinion
    reason: Annotated[str | None, Field(max_length=10_000)] = None


class ApplyingPractice(Out):
    """`patients` is the whole list of the practice on the snapshot day."""

    practice: str
    share: Decimal
    leaves: str | None
    patients: Decimal | None = None


class Director(Out):
    name: str
    practice: str
    professional_registration: str | None
    share: Decimal | None = None


class Locality(Out):
    name: str
    practices: list[str]


class FindingOut(Out):
    """What was found of the network or its area. `key` names it when it is excepted, and `reason` says why it was."""

    key: str
    code: str
    message: str
    place: tuple[float, float] | None
    square_metres: int | None
    blocking: bool
    reason: str | None


class StepOut(Out):
    step: Step
    taken_on: date
    taken_at: datetime
    taken_by: str
    reason: str | None
    ground: RefusalGround | None
    form: dict[str, Any] | None


class WarningOut(Out):
    field: str
    code: str
    message: str


class ApplicationOut(Out):
    id: str
    round: str
    commissioner: str
    contract_year: str
    status: ApplicationStatus
    network_name: str
    kind: ApplicationKind
    network: str | None
    proposed_code: str | None
    reforms: list[str]
    reform_reason: ReformReason | None
    reform_explanation: str | None
    practices: list[ApplyingPractice]
    clinical_directors: list[Director]
    director_name: str | None
    director_practice: str | None
    director_registration: str | None
    payee: str | None
    bank_details_given: bool | None
    agreement_signed_by: list[str]
    area_description: str | None
    area: dict[str, Any] | None
    localities: list[Locality]
    size_waiver_reason: str | None
    registered_patients: Decimal | None
    submitted_on: date | None
    submitted_by: str | None
    late: bool
    waived_by: str | None
    returned_on: date | None
    decision_reason: str | None
    refusal_ground: RefusalGround | None
    found_approvable_on: date | None
    found_approvable_by: str | None
    decided_on: date | None
    decided_by: str | None
    opinion: LmcOpinion | None
    opinion_reason: str | None
    what_if: str | None
    warnings: list[WarningOut] = []
    findings: list[FindingOut] = []
