"""What every page shares: the Flask app's making, request scope, forms, formats, languages and security headers."""
