"""What each command does: it is checked first, then carried out."""
