"""From raw scores to alerts: p-values, the alert budget, incidents."""
