"""What Dagster shows: assets, checks, the job, schedules and sensors."""
