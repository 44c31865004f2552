"""An EST server (RFC 7030, RFC 8951) that can be told to be as bad as networks and authorities are."""
