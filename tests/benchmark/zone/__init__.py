"""A raw zone of any size for the benchmark: what a telephony-heavy sales company exports."""
