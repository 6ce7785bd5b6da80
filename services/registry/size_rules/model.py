from __future__ import annotations

from sqlalchemy import CheckConstraint
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from shared.database import Headcount, Words
from shared.errors import Fault
from shared.facts import Dated


class SizeRule(Dated, Base):
    """The figures a network is measured by on some days: patients, and square metres of ground shared by accident.

    Under `smallest` it needs a waiver, over `large` the commissioner is warned, over `localities_from` it is asked for
    localities of `locality_smallest` to `locality_largest` patients. Areas that share no more than `sliver` square
    metres do not overlap: it is the width of a pen on the map.
    """

    __tablename__ = "size_rules"
    __table_args__ = (
        ExcludeConstraint(("valid", "&&"), ("known", "&&"), name="ex_size_rules_overlap", using="gist"),
        CheckConstraint("0 < smallest and smallest < large and large < localities_from", name="sizes_in_order"),
        CheckConstraint("0 < locality_smallest and locality_smallest < locality_largest", name="localities_in_order"),
        CheckConstraint("sliver >= 0", name="sliver_not_negative"),
    )

    smallest: Mapped[Headcount]
    large: Mapped[Headcount]
    localities_from: Mapped[Headcount]
    locality_smallest: Mapped[Headcount]
    locality_largest: Mapped[Headcount]
    sliver: Mapped[Headcount]
    source: Mapped[Words]
    made_by: Mapped[Words] = mapped_column(default="the contract")

    def faults(self) -> list[Fault]:
        """What does not fit in the figures, in one list."""
        found = []
        if not 0 < self.smallest < self.large < self.localities_from:
            found.append(Fault("smallest", "out_of_order", "It rises from smallest over large to localities_from."))
        if not 0 < self.locality_smallest < self.locality_largest:
            found.append(Fault("locality_smallest", "out_of_order", "A locality is at least as large as its least."))
        return found
