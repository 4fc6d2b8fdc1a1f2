"""Calls evaluated by a language model: which, what leaves the machine, what comes back."""
