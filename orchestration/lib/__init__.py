"""What the job is made of: pure where possible, typed, tested without Dagster."""
