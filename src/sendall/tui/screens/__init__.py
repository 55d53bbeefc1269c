"""What covers the room for a while: the first question, help, the card with the ways in, the search."""
