"""From judgements to name servers: the zone decided, kept, sent, repaired, compared."""
