"""The reporting service: what everybody needs to see, kept as rows that events alone update.

It owns projections of registry, funding and workforce, and the reports read from them. It can be emptied and rebuilt
from the events, and comes out the same.
"""
