"""The main job from end to end over REST: practices become approved networks that are paid, staffed and reported."""
