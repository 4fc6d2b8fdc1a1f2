"""The first step: which raw files there are and whether they keep the contract."""
