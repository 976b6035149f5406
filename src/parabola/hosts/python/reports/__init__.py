"""What the engine is told while functions run: lines, frames, messages, activity."""
