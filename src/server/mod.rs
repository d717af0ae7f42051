//! The HTTP door: /metrics, /healthz, /readyz. It translates, and decides nothing.
