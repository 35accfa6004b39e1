"""How the pets are watched: alerts (rules.yaml), and a dashboard that is made from its panels."""
