"""What every request goes through: rules, bodies, limits, errors."""
