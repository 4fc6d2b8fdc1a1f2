"""What all rooms share: settings, errors, files, the lock, progress, the record, the cache, SQL."""
