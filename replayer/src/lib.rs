//! Plays a trace back against a driver and judges what it answers.
