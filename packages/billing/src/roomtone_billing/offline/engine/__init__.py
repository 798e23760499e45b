"""What Stripe does by itself: charging, collecting, renewing, prorating, ending."""
