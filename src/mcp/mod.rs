//! The MCP door. It translates between the protocol and the toolbox, and decides nothing.
