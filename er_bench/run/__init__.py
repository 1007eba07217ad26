"""One evaluation: rows looked over, samples run, records kept."""
