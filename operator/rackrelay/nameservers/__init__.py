"""DNS to name servers: probes, signed UPDATEs and transfers. Nothing is decided here."""
