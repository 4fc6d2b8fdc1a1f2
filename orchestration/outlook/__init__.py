"""What will close: probabilities of open deals, back-tested on the company's own past.

The models say in SQL what could be known of a deal on a day (`int_outlook__features`); here is what
is learned from it. docs/decisions/0012 says why so.
"""
