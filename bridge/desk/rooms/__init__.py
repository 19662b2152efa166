"""What rooms hold: posts brought into them, kept in line with what they show."""
