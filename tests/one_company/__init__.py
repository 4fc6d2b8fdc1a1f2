"""One invented company, served through every system: the same figures, or a listed difference."""
