"""Card payments of a studio's own clients: setting it up, asking for money by a link, seeing it paid, giving it back."""
