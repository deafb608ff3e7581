"""`gnas auto`: a user's own model in, its search space and smaller models out."""
