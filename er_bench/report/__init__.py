"""Numbers from records: results, errors, leaderboards."""
