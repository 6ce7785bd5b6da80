"""Where money is sent: bank details entered by one person, approved by another, sealed at rest."""
