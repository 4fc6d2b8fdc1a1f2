"""Great Expectations' suites."""
