"""What a change of members, rates or populations would do to payments, before anybody decides; nothing is stored."""
