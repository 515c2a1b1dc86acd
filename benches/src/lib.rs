//! Loads and floors.
