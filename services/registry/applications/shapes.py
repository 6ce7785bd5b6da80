"""What is sent and answered about applications."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from services.registry.applications.model import ApplicationStatus, LmcOpinion
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
    name: Annotated[str, Field(min_length=1, max_length=200)]
    practice: OrganisationCode
    professional_registration: Annotated[str | None, Field(max_length=50)] = None


class ApplicationFields(In):
    network: NetworkCode | None = None
    proposed_code: NetworkCode | None = None
    practices: Annotated[list[ApplyingPracticeIn], Field(max_length=200)] = []
    clinical_director: DirectorIn | None = None
    payee: OrganisationCode | None = None
    agreement_signed_by: Annotated[list[OrganisationCode], Field(max_length=200)] = []
    area_description: Annotated[str | None, Field(max_length=10_000)] = None
    size_waiver_reason: Annotated[str | None, Field(max_length=10_000)] = None

    def fields(self) -> dict[str, Any]:
        """What was sent, as columns; the practices apart."""
        sent = self.model_dump(include=self.model_fields_set - {"practices", "clinical_director", "round"})
        if "clinical_director" in self.model_fields_set:
            director = self.clinical_director
            sent["director_name"] = director.name if director else None
            sent["director_practice"] = director.practice if director else None
            sent["director_registration"] = director.professional_registration if director else None
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


class OpinionIn(In):
    opinion: LmcOpinion
    reason: Annotated[str | None, Field(max_length=10_000)] = None


class ApplyingPractice(Out):
    practice: str
    share: Decimal
    leaves: str | None


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
    network: str | None
    proposed_code: str | None
    practices: list[ApplyingPractice]
    director_name: str | None
    director_practice: str | None
    director_registration: str | None
    payee: str | None
    agreement_signed_by: list[str]
    area_description: str | None
    size_waiver_reason: str | None
    registered_patients: Decimal | None
    submitted_on: date | None
    submitted_by: str | None
    late: bool
    waived_by: str | None
    returned_on: date | None
    decision_reason: str | None
    found_approvable_on: date | None
    found_approvable_by: str | None
    decided_on: date | None
    decided_by: str | None
    opinion: LmcOpinion | None
    opinion_reason: str | None
    warnings: list[WarningOut] = []
