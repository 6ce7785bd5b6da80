"""An approved achievement put right: proposed with a reason, agreed to by a second person, paid as a difference."""
