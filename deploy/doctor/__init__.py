"""`pcn doctor`: what must always hold across the four databases, looked at from outside and never repaired here."""

from deploy.doctor.examination import examine
from deploy.doctor.finding import Finding

__all__ = ["Finding", "examine"]
