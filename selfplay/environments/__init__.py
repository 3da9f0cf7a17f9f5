"""What an episode is played in: tools and their state, goals, and what a hint must not reveal."""
