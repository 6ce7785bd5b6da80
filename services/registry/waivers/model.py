from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from shared.database import Code, Headcount, Words
from shared.errors import Conflict, NotFound
from shared.facts import Dated, no_overlap

TOO_SMALL, ONE_PRACTICE = "under_smallest", "one_practice"


class WaiverNotFound(NotFound):
    """No such exception, or none the caller may see."""


class FindingNotThere(NotFound):
    """Only what was found of an application or an area is excepted, under the key it was found by."""


class ExceptedAlready(Conflict):
    """One finding of one network is excepted once at a time."""


class Waiver(Dated, Base):
    """The decider's reasoned exception from a rule, for a network, or for an application until it is decided.

    `finding` is the key of what is excepted: a network under the smallest size, one practice alone, or a finding of its
    area such as an overlap with a named neighbour. A network excepted from the smallest size may shrink to `not_below`
    patients, without that to any size.
    """

    __tablename__ = "waivers"
    __table_args__ = (
        no_overlap("waivers", "subject", "finding"),
        CheckConstraint("subject = coalesce(network, application)", name="subject_is_what_is_excepted"),
    )

    id: Mapped[Code] = mapped_column(index=True)
    subject: Mapped[Code]
    network: Mapped[Code | None] = mapped_column(index=True)
    application: Mapped[Code | None]
    commissioner: Mapped[Code] = mapped_column(index=True)
    finding: Mapped[Words]
    message: Mapped[Words]
    reason: Mapped[Words]
    not_below: Mapped[Headcount | None]
    given_by: Mapped[Words]

    def concerns(self) -> Iterable[str]:
        return [code for code in (self.network, self.commissioner) if code]

    def for_network(self, network: str, codes: Mapping[str, str]) -> Waiver:
        """The same exception, now that the application is this network's; `codes` are those of all approved with it.

        A neighbour it was found to overlap is a network now too, and found again under that name.
        """
        kind, _, beside = self.finding.partition(":")
        finding = f"{kind}:{codes[beside]}" if beside in codes else self.finding
        return Waiver(
            id=self.id,
            subject=network,
            network=network,
            application=self.application,
            commissioner=self.commissioner,
            finding=finding,
            message=self.message,
            reason=self.reason,
            not_below=self.not_below,
            given_by=self.given_by,
            valid=self.valid,
        )
