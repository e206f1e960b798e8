"""From labelled clips to a benchmark and to preference data: `emorealm curate` (Sections 3.2-3.4, 4.3, B and C.2)."""
