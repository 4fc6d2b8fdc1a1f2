"""What BI reads: written, checked, swapped in."""
