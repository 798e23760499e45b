"""The hosted pages: Checkout, customer portal, invoice and the console."""
