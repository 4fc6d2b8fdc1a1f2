"""The metrics layer: what can be asked, what it answers, and that the marts say the same."""
