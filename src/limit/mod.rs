//! How much may be asked of a model at once and in a minute, in this process.
