"""What all four services stand on: events, messaging, database, time, identity, errors and HTTP.

Nothing here knows a rule about networks, money or roles; the only business words are the shapes of events.
"""
