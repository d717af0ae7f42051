//! Answers that were accepted, kept for a while: the key, the entries, one call for equal requests in flight.
