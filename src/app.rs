//! Builds every part once, hands them to the doors, drains on a signal or at end of input.
