"""How good each rack is, from what was seen of it: the one owner of rack health."""
