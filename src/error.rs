//! What can go wrong. Replaced as the rooms are built.
