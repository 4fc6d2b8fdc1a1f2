"""The benchmark: what a refresh costs, beside the least that the engine needs for the same."""
